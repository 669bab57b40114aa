"""What int8 files are made by, so that every combination can be tried and told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from export.quantization.range_estimators import DEFAULT_ESTIMATOR, ESTIMATORS
from runtimes.errors import InputError

if TYPE_CHECKING:
    from export.quantization.aware.record import Aware


@dataclass(frozen=True)
class Quantization:
    """Steps on the way to int8; `python -m benchmarks quantization` compares them.

    Attributes:
        equalize: see `equalization`.
        level_streams: see `streams`.
        correct_biases: see `bias_correction`.
        keep_depthwise_sums: see `weight_steps`.
        estimator: of the activations' ranges, a key of `range_estimators.ESTIMATORS`.
        float_layers: convolutions of the trunk that are left in float, by the torch module's name,
            see `float_layers`.
        aware: weights and ranges that were trained for int8, which all of the above but
            `float_layers` went into already.

    Raises:
        InputError: no such estimator, or layers shall be in float or ranges measured, but weights
            and ranges were trained with all layers in int8.
    """

    equalize: bool = True
    level_streams: bool = True
    correct_biases: bool = True
    keep_depthwise_sums: bool = True
    estimator: str = DEFAULT_ESTIMATOR
    float_layers: tuple[str, ...] = ()
    aware: Aware | None = None

    def __post_init__(self) -> None:
        if self.estimator not in ESTIMATORS:
            raise InputError(
                f"--ranges names '{self.estimator}'; possible: {', '.join(ESTIMATORS)}."
            )
        if self.aware is not None and self.estimator != DEFAULT_ESTIMATOR:
            raise InputError(
                f"ranges shall be measured by '{self.estimator}', but those of "
                f"'{self.aware.name}' were trained. Leave out --ranges or --aware."
            )
        if self.aware is not None and self.float_layers:
            raise InputError(
                f"{', '.join(self.float_layers)} shall stay in float, but the weights of "
                f"'{self.aware.name}' were trained with all layers in int8. Leave out "
                "--float-layers or --aware."
            )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        aware = None if self.aware is None else self.aware.to_json()
        return {**vars(self), "float_layers": list(self.float_layers), "aware": aware}


DEFAULT = Quantization()
CHOICE = "auto"  # in the place of layers' names: they are chosen on validation images


def asks_for_choice(layers: Sequence[str]) -> bool:
    """Whether layers given by name stand for a choice by the program.

    Raises:
        InputError: "auto" beside names.
    """
    if CHOICE in layers and len(layers) > 1:
        raise InputError(
            f"--float-layers names '{CHOICE}' and layers beside it; give '{CHOICE}' alone, or "
            "names alone."
        )
    return CHOICE in layers
