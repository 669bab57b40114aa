"""Whether another draw of calibration images would have given other int8 scales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ALLOWED = 0.2


@dataclass(frozen=True)
class Moved:
    """A tensor and its int8 scales from two disjoint calibration sets.

    Attributes:
        name: of the tensor, after its torch module where it has one.
        scales: of the first and the second set.
    """

    name: str
    scales: tuple[float, float]

    @property
    def difference(self) -> float:
        """How far the larger scale lies above the smaller one, as a share of it."""
        low, high = sorted(self.scales)
        return high / low - 1 if low else float(high > 0) * float("inf")


@dataclass(frozen=True)
class Stability:
    """All activations, the one that moved most first.

    Attributes:
        tensors: of which scales were compared.
    """

    tensors: tuple[Moved, ...]

    @property
    def moved(self) -> tuple[Moved, ...]:
        """Those whose scales differ by more than a fifth."""
        return tuple(tensor for tensor in self.tensors if tensor.difference > ALLOWED)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "allowed_difference": ALLOWED,
            "tensors": len(self.tensors),
            "moved": [tensor.name for tensor in self.moved],
            "largest": [
                {"name": tensor.name, "scales": list(tensor.scales)} for tensor in self.tensors[:10]
            ],
        }


def compare_scales(first: Mapping[str, Any], second: Mapping[str, Any]) -> Stability:
    """Compares ranges by `activation_ranges.measure_ranges` on two sets of images.

    Raises:
        ValueError: they are of different networks.
    """
    if first.keys() != second.keys():
        raise ValueError("the ranges are of different networks")
    tensors = [Moved(name, (_scale(first[name]), _scale(second[name]))) for name in first]
    return Stability(tuple(sorted(tensors, key=lambda tensor: -tensor.difference)))


def _scale(span: Mapping[str, Any]) -> float:
    return float(span["max"].item() - span["min"].item()) / 255
