"""The number format of the loss terms: autocast off, half precision widened.

Where digits cancel, in Gram matrices and their differences, the terms go on in float64.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

import torch
from torch import Tensor

P = ParamSpec("P")


def full_precision(term: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """Returns `term` with autocast disabled and its half-precision tensors widened to float32.

    Under autocast a bfloat16 matrix product has three digits, and the relational terms are
    differences of nearly equal numbers. float32 and float64 arguments pass as they are.
    """

    @functools.wraps(term)
    def widened(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        values = [*args, *kwargs.values()]
        device = next(v.device.type for v in values if isinstance(v, Tensor))
        with torch.autocast(device, enabled=False):
            wide_args = [_widen(value) for value in args]
            wide_kwargs = {name: _widen(value) for name, value in kwargs.items()}
            return term(*wide_args, **wide_kwargs)  # type: ignore[arg-type]

    return widened


def to_double(tensor: Tensor) -> Tensor:
    """Returns `tensor` in float64, or in float32 on devices without float64 (Apple's mps)."""
    return tensor.to(torch.float32 if tensor.device.type == "mps" else torch.float64)


def _widen(value: object) -> object:
    if isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16):
        return value.float()
    return value
