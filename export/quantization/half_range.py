"""Which tensors leave the range of float16, by the torch module's name, on calibration images.

Float16 ends at 65504 and has full precision from 2⁻¹⁴ upward only. A tensor is at risk of overflow
where its largest value times a margin passes that end; it is at risk of underflow where channels of
it stay below 2⁻¹⁴ altogether and the logits miss them. Whatever is at risk is kept in float32: the
operation that computes or stores the tensor, and those that read it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

LARGEST = float(np.finfo(np.float16).max)
SMALLEST = float(np.finfo(np.float16).smallest_normal)

# Unseen images reach further than calibration images: 768 test images up to 2.4 times as far as 16
# of calibration, 1.6 times as far as 32. Parameters are what they are.
OUTPUT_MARGIN = 4.0

# A thousandth of the logits' amplitude; float16's own rounding costs a trained network more.
UNDERFLOW_LIMIT = 60.0

# Stands for the head of the deployable module, which reads what the trunk puts out.
HEAD = "output"


@dataclass(frozen=True)
class HalfTensor:
    """A tensor of the network as float16 would have to hold it.

    Attributes:
        name: of the torch module, or of the operation in its graph, for an output; a parameter or
            buffer has its own name.
        kind: class of the module, or name of the function.
        node: operation in the traced trunk that computes or stores it, `HEAD` for the head's.
        stored: whether the file holds it, or else it is computed from the image.
        largest: largest absolute value.
        channels: how many it has; of weights those of the output.
        lost: channels that are not zero and nowhere reach float16's normal numbers.
    """

    name: str
    kind: str
    node: str
    stored: bool
    largest: float
    channels: int
    lost: int

    @property
    def headroom(self) -> float:
        """How often the largest value fits into float16's range."""
        return LARGEST / self.largest if self.largest else math.inf

    @property
    def overflows(self) -> bool:
        """Whether the headroom is less than it takes."""
        return self.headroom < (1.0 if self.stored else OUTPUT_MARGIN)

    def to_json(self) -> dict[str, Any]:
        """Plain values; an infinite headroom as None."""
        headroom = self.headroom if math.isfinite(self.headroom) else None
        return {**vars(self), "headroom": headroom}


@dataclass(frozen=True)
class HalfCheck:
    """Which tensors of a network are at risk in float16.

    Attributes:
        tensors: all, in the order of the network.
        overflow: those at risk of overflow.
        underflow: those at risk of underflow.
        underflow_decibels: signal over noise at the logits with all lost channels set to zero,
            infinite where none is lost.
        images: calibration images that the outputs were seen on.
        float_nodes: operations of the trunk that float32 is needed for, and `HEAD`.
        float_modules: names of those of them that are modules.
        float_numbers: how many numbers they store.
        tensor_nodes: operations that put out one tensor, and not its shape or a tuple.
    """

    tensors: tuple[HalfTensor, ...]
    overflow: tuple[HalfTensor, ...]
    underflow: tuple[HalfTensor, ...]
    underflow_decibels: float
    images: int
    float_nodes: frozenset[str]
    float_modules: frozenset[str]
    float_numbers: int
    tensor_nodes: frozenset[str]

    @property
    def at_risk(self) -> tuple[HalfTensor, ...]:
        """All that is at risk."""
        return self.overflow + self.underflow

    @property
    def stored(self) -> tuple[HalfTensor, ...]:
        """Numbers in the file that are at risk."""
        return tuple(tensor for tensor in self.at_risk if tensor.stored)

    @property
    def largest_output(self) -> HalfTensor:
        """The output with the largest value."""
        outputs = (tensor for tensor in self.tensors if not tensor.stored)
        return max(outputs, key=lambda tensor: tensor.largest)

    def to_json(self) -> dict[str, Any]:
        """Plain values; an infinite ratio as None."""
        decibels_lost = self.underflow_decibels
        return {
            "images": self.images,
            "underflow_decibels": decibels_lost if math.isfinite(decibels_lost) else None,
            "overflow": [tensor.name for tensor in self.overflow],
            "underflow": [tensor.name for tensor in self.underflow],
            "tensors": [tensor.to_json() for tensor in self.tensors],
        }
