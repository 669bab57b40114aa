"""Scales around an addition with which every kernel rounds every sum alike.

ONNX Runtime adds int8 tensors in float on x86, in whole numbers on ARM, and other programs take the
operators apart. Each errs by some 1e-5 of a step, so that a sum as near as that to the middle
between two steps goes up with one kernel and down with another. No sum is that near where the three
scales are whole multiples of a power of two, and that of the sum an odd one, C: twice the sum in
steps is an even number divided by C, which is 1/C away from an odd number at the least.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from export.quantization.aware.steps import LAST, Range

_DIGITS = 10  # C has so many binary digits, so a sum is 4.9e-4 of a step from a middle, or more
_LARGEST_MOVE = 1 / 128  # of a scale, as a part of itself


@dataclass(frozen=True)
class Addition:
    """The tensors of an int8 addition.

    Attributes:
        inputs: both, as they are rounded.
        output: the sum, as it is rounded.
    """

    inputs: tuple[str, str]
    output: str


def equal_sums(
    ranges: Mapping[str, tuple[float, float]], additions: Sequence[Addition]
) -> dict[str, Range]:
    """Returns scales near the measured ones with which every kernel rounds every sum alike.

    Additions that share a tensor are taken together. Where one of their scales would move by more
    than 0.8 %, all of them stay as they were measured.

    Args:
        ranges: low and high of each tensor, low ≤ 0 ≤ high.
        additions: those that are computed in int8.

    Returns:
        The range of each tensor that an addition reads or gives, those left as they are missing.
    """
    sums = {each.output for each in additions}
    found: dict[str, Range] = {}
    for group in _groups(each for each in additions if _tensors(each) <= ranges.keys()):
        scales = {name: (ranges[name][1] - ranges[name][0]) / LAST for name in group}
        exponent = math.frexp(max(scales[name] for name in group & sums))[1] - _DIGITS
        moved = {name: _rounded(scales[name], exponent, name in sums) for name in group}
        if all(abs(moved[name] / scales[name] - 1) <= _LARGEST_MOVE for name in group):
            for name, scale in moved.items():
                zero_point = round(-ranges[name][0] / scale)
                found[name] = Range(scale, min(max(zero_point, 0), LAST))
    return found


def _tensors(addition: Addition) -> set[str]:
    return {*addition.inputs, addition.output}


def _groups(additions: Iterable[Addition]) -> list[set[str]]:
    """The tensors of additions that share one, directly or by way of others."""
    groups: list[set[str]] = []
    for addition in additions:
        joined = _tensors(addition)
        for group in [each for each in groups if each & joined]:
            groups.remove(group)
            joined |= group
        groups.append(joined)
    return groups


def _rounded(scale: float, exponent: int, is_sum: bool) -> float:
    """The nearest multiple of a power of two, for a sum the nearest odd one."""
    multiple = math.ldexp(scale, -exponent)
    whole = 2 * round((multiple - 1) / 2) + 1 if is_sum else max(round(multiple), 1)
    return math.ldexp(whole, exponent)
