"""Every operator of an .mlpackage, carried out and looked at; on macOS with Core ML's plan."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.coreml.plan import Planned, read_plan
from export.golden import golden_images
from runtimes.errors import InputError
from runtimes.mil_arguments import Value
from runtimes.mil_program import OPERATORS, Result, load_program, read_function
from runtimes.mil_runtime import image_layout, image_tensor
from runtimes.probe import refusals

_LARGEST = {"fp16": 65504.0}


@dataclass
class Kind:
    """All operators of one kind in a file.

    Attributes:
        kind: as MIL calls it.
        number: how many there are.
        known: whether the evaluator can carry it out.
        wrong_shapes: results of another shape than the program declares, over all images.
        not_finite: results with an infinity or not-a-number.
        headroom: the smallest of largest fp16 / largest value; None where no result is fp16.
        units: on macOS, unit to how many of them are planned for it.
    """

    kind: str
    number: int
    known: bool
    wrong_shapes: int = 0
    not_finite: int = 0
    headroom: float | None = None
    units: dict[str, int] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether it was carried out as the program declares it."""
        return self.known and not self.wrong_shapes and not self.not_finite


@dataclass(frozen=True)
class CoreMLCheck:
    """What was found in one file.

    Attributes:
        file: its name.
        images: that it was carried out for.
        constants: operators that the file computes at load, for example dequantized weights.
        kinds: the others, the most frequent first.
        fault: why it was not carried out; "" if it was.
    """

    file: str
    images: int
    constants: dict[str, int]
    kinds: tuple[Kind, ...]
    fault: str

    @property
    def passed(self) -> bool:
        """Whether every operator was carried out as the program declares it."""
        return not self.fault and all(kind.passed for kind in self.kinds)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "passed": self.passed}


def check_package(path: Path, images: int) -> CoreMLCheck:
    """Carries out every operator of a package for some of the golden images.

    Args:
        path: the .mlpackage.
        images: how many.

    Raises:
        InputError: it is damaged, or no ML program.
        MissingDependencyError: coremltools is not installed.
    """
    constants: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for operation in read_function(path).operations:
        if operation.op_type.startswith("constexpr_"):
            constants[operation.op_type] += 1
        elif any(output.val is None for output in operation.outputs):
            counts[operation.op_type] += 1
    kinds = {kind: Kind(kind, number, kind in OPERATORS) for kind, number in counts.most_common()}
    for planned in _plan(path):
        if planned.kind in kinds:
            units = kinds[planned.kind].units
            units[planned.unit] = units.get(planned.unit, 0) + 1
    fault = ""
    try:
        _carry_out(path, images, kinds)
    except InputError as error:
        fault = str(error).removeprefix(f"{path}: ")
    return CoreMLCheck(path.name, images, dict(constants), tuple(kinds.values()), fault)


def _carry_out(path: Path, images: int, kinds: dict[str, Kind]) -> None:
    program = load_program(path)
    _, (side, _) = image_layout(path, program)

    def watch(result: Result, value: Value) -> None:
        if isinstance(value, torch.Tensor):
            _look(kinds[result.operation], result, value)

    with torch.inference_mode(), refusals(path, "the MIL evaluator"):
        for picture in golden_images(side)[:images]:
            program.run(image_tensor(path, program, picture[None].astype(np.float32)), watch)


def _look(kind: Kind, result: Result, value: torch.Tensor) -> None:
    sides = zip(result.shape, value.shape, strict=False)
    fits = len(result.shape) == value.dim() and all(d in (None, s) for d, s in sides)
    kind.wrong_shapes += not fits
    if not value.is_floating_point() or not value.numel():
        return
    largest = float(value.abs().max())
    if not np.isfinite(largest):
        kind.not_finite += 1
    elif result.kind in _LARGEST and largest > 0:
        headroom = _LARGEST[result.kind] / largest
        kind.headroom = headroom if kind.headroom is None else min(kind.headroom, headroom)


def _plan(path: Path) -> Sequence[Planned]:
    if sys.platform != "darwin":
        return ()
    from runtimes.coremltools_import import import_coremltools

    return read_plan(import_coremltools().models.MLModel(str(path)))
