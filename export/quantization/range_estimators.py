"""Which range of an activation its 256 steps cover, decided on calibration images.

All of an activation's values lie between two extremes, of which a few pictures in hundreds reach
the outer part. A smaller range cuts those off and gives all others finer steps. Every format asks
the same estimator, so that they differ in their arithmetic and not in their ranges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

import numpy as np

from runtimes.errors import InputError

GROUP = 8  # images whose extremes are taken together by `AveragedExtremes`
_SAMPLED = 1024  # values kept of each image by the estimators that look at the distribution
_STEPS = 255
_KEPT_SHARE = 0.9999
_SHRINKINGS = np.linspace(1.0, 0.3, 71)
_TRIED_ON = 1 << 15


class RangeEstimator(Protocol):
    """Sees an activation image by image and then says its range."""

    def see(self, values: np.ndarray) -> None:
        """Takes the activation of one image, of any shape."""

    def range(self) -> tuple[float, float]:
        """Returns (low, high) with low ≤ 0 ≤ high; not finite if a value that it used was not."""


class Extremes:
    """From the smallest to the largest value on any image."""

    def __init__(self) -> None:
        self._low = self._high = 0.0

    def see(self, values: np.ndarray) -> None:
        """See `RangeEstimator`."""
        # numpy's minimum and maximum keep what is not a number
        self._low = float(np.minimum(self._low, values.min()))
        self._high = float(np.maximum(self._high, values.max()))

    def range(self) -> tuple[float, float]:
        """See `RangeEstimator`."""
        return self._low, self._high


class AveragedExtremes:
    """The mean, over groups of eight images, of the smallest and largest value in the group."""

    def __init__(self) -> None:
        self._lows: list[float] = []
        self._highs: list[float] = []

    def see(self, values: np.ndarray) -> None:
        """See `RangeEstimator`."""
        self._lows.append(float(values.min()))
        self._highs.append(float(values.max()))

    def range(self) -> tuple[float, float]:
        """See `RangeEstimator`."""
        starts = range(0, len(self._lows), GROUP)
        low = np.mean([np.min(self._lows[start : start + GROUP]) for start in starts])
        high = np.mean([np.max(self._highs[start : start + GROUP]) for start in starts])
        return float(np.minimum(0.0, low)), float(np.maximum(0.0, high))


class _Sampled:
    """Keeps some values of each image, the same places for the same shape."""

    def __init__(self) -> None:
        self._generator = np.random.default_rng(0)
        self._parts: list[np.ndarray] = []

    def see(self, values: np.ndarray) -> None:
        """See `RangeEstimator`."""
        flat = values.reshape(-1)
        chosen = flat
        if len(flat) > _SAMPLED:
            chosen = flat[self._generator.integers(0, len(flat), _SAMPLED)]
        self._parts.append(chosen.astype(np.float32))

    def values(self) -> np.ndarray:
        """All values kept, (M,)."""
        return np.concatenate(self._parts)


class Percentile(_Sampled):
    """All but the outer 0.01 % of the values at either end."""

    def range(self) -> tuple[float, float]:
        """See `RangeEstimator`."""
        low, high = np.quantile(self.values(), [1 - _KEPT_SHARE, _KEPT_SHARE])
        return float(np.minimum(0.0, low)), float(np.maximum(0.0, high))


class LeastSquares(_Sampled):
    """The share of the full range in which rounding and cutting off make the least squared error.

    Source: Nagel et al., A White Paper on Neural Network Quantization, 2021, section 3.1 (MSE).
    """

    def range(self) -> tuple[float, float]:
        """See `RangeEstimator`."""
        values = self.values()
        low = float(np.minimum(0.0, values.min()))
        high = float(np.maximum(0.0, values.max()))
        if low == high or not math.isfinite(high - low):
            return low, high
        tried = values[:: max(1, len(values) // _TRIED_ON)].astype(np.float64)
        errors = [_squared_error(tried, low * share, high * share) for share in _SHRINKINGS]
        share = float(_SHRINKINGS[int(np.argmin(errors))])
        return low * share, high * share


def usable_range(estimator: RangeEstimator, tensor: str) -> tuple[float, float]:
    """Returns an estimator's range, or 0 to 1 of an activation that is zero on every image.

    A scale has to be above zero, and zero is exact with any.

    Args:
        estimator: has seen the activation.
        tensor: its name, for the error.

    Raises:
        InputError: the range is infinite or not a number.
    """
    low, high = estimator.range()
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError(
            f"the tensor {tensor} reaches from {low:g} to {high:g} on the calibration images, and "
            "no int8 scale spans that. Weights or statistics before it are far too large: train "
            "again with a lower learning rate."
        )
    return (low, high) if low < high else (0.0, 1.0)


def _squared_error(values: np.ndarray, low: float, high: float) -> float:
    scale = (high - low) / _STEPS
    zero_point = np.round(-low / scale)
    steps = np.clip(np.round(values / scale) + zero_point, 0, _STEPS)
    return float(np.square((steps - zero_point) * scale - values).sum())


ESTIMATORS: Mapping[str, Callable[[], RangeEstimator]] = MappingProxyType(
    {
        "extremes": Extremes,
        "averaged": AveragedExtremes,
        "percentile": Percentile,
        "mse": LeastSquares,
    }
)
DEFAULT_ESTIMATOR = "averaged"
