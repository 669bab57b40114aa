"""Int8 steps that every file format holds exactly, and rounding to them that gradients pass.

A scale has eleven binary digits, as many as float16 keeps: Core ML stores scales in float16, TFLite
and ONNX in float32, and so all of them store the same number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

LAST = 255  # the steps of an activation go from 0 to it
_DIGITS = 2.0**11


@dataclass(frozen=True)
class Range:
    """What the 256 steps of an activation stand for: q means scale · (q − zero_point).

    Attributes:
        scale: of one step, above 0, a number of eleven binary digits.
        zero_point: the step that means zero, 0 to 255.
    """

    scale: float
    zero_point: int

    @property
    def low(self) -> float:
        """The value of step 0; exact in float32."""
        return -self.zero_point * self.scale

    @property
    def high(self) -> float:
        """The value of step 255; exact in float32."""
        return (LAST - self.zero_point) * self.scale


PIXELS = Range(1.0, 128)  # pixels minus 128, as every file reads them


def eleven_digits(values: Tensor) -> Tensor:
    """Rounds to eleven binary digits, whatever the exponent."""
    mantissa, exponent = torch.frexp(values)
    return torch.ldexp(torch.round(mantissa * _DIGITS) / _DIGITS, exponent)


def straight_through(rounded: Tensor, values: Tensor) -> Tensor:
    """Returns the rounded values, to the last digit, with the gradient of the ones before."""
    return rounded.detach() + (values - values.detach())


def round_to_steps(values: Tensor, scale: Tensor, zero_point: Tensor) -> Tensor:
    """Rounds activations to their 256 steps and cuts off what lies beyond them.

    Gradients: of values where they are not cut off; of the scale as in LSQ, and of the zero point
    from what is cut off.

    Args:
        values: float32, any shape.
        scale: of one step, ().
        zero_point: a whole number, ().

    Source: Esser et al., Learned Step Size Quantization, ICLR 2020, equations 1 to 3; Bhalgat et
    al., LSQ+, CVPR workshops 2020, for the zero point.
    """
    rounded: Tensor = _RoundToSteps.apply(values, scale, zero_point)
    return rounded


class _RoundToSteps(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, scale: Tensor, zero_point: Tensor) -> Tensor:
        step, zero = float(scale), float(zero_point)
        low, high = -zero * step, (LAST - zero) * step
        rounded = values.clamp(low, high).mul_(1 / step).round_().mul_(step)
        ctx.save_for_backward(values, rounded)
        ctx.step, ctx.edges = step, (low, high)
        return rounded

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        values, rounded = ctx.saved_tensors
        (gradient,) = gradients
        inside = torch.ops.aten.hardtanh_backward(gradient, values, *ctx.edges)
        # Where a value is kept the scale moves the rounding error, elsewhere the edge.
        scale = (_dot(gradient, rounded) - _dot(inside, values)) / ctx.step
        zero = ctx.step * (inside.sum() - gradient.sum()) if ctx.needs_input_grad[2] else None
        return inside, scale, zero


def _dot(first: Tensor, second: Tensor) -> Tensor:
    return (first * second).sum()
