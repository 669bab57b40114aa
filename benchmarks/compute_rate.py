"""What a device computes: floating-point operations of a step, and its rate on plain matrices."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

_EDGE = {"cuda": 8192, "cpu": 1024}
_REPEATS = 20


def step_flops(step: Callable[[], object]) -> int:
    """Counts the FLOPs (two a multiply-accumulate) of convolutions and matrix products of a step.

    Forward and backward alike, by torch's own counter; normalisation, activations and the
    optimizer are not counted.
    """
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def matrix_rate(device: torch.device, precision: torch.dtype) -> float:
    """Measures the FLOP/s of square matrix products in a precision, the best of several.

    The practical ceiling of the device: what its library reaches on the friendliest shape.
    """
    edge = _EDGE[device.type]
    left, right = (torch.rand(edge, edge, device=device, dtype=precision) for _ in range(2))
    best = 0.0
    for _ in range(_REPEATS):
        _wait(device)
        started = time.perf_counter()
        torch.mm(left, right)
        _wait(device)
        best = max(best, 2 * edge**3 / (time.perf_counter() - started))
    return best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
