"""From times to figures: percentiles, paired ratios with intervals, drift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_CONFIDENCE = 0.95
_REPLICATES = 2000
_CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Ratio:
    """The median of time / base's time over rounds, with its 95 % interval."""

    base: str
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Times:
    """What the times of one file's N inferences say, in milliseconds.

    Attributes:
        runs: N.
        drift: median of the last quarter of the rounds by that of the first: above 1 the machine
            became slower (warmer, or busier) meanwhile.
    """

    runs: int
    p50: float
    p90: float
    p99: float
    mean: float
    least: float
    drift: float


def summarize(milliseconds: np.ndarray) -> Times:
    """Returns the figures of (N,) times in the order in which they were taken; N is 1 or more.

    Percentiles are interpolated linearly, as numpy's `quantile` does by default.
    """
    quarter = max(1, len(milliseconds) // 4)
    first, last = np.median(milliseconds[:quarter]), np.median(milliseconds[-quarter:])
    p50, p90, p99 = np.quantile(milliseconds, (0.5, 0.9, 0.99))
    return Times(
        runs=len(milliseconds),
        p50=float(p50),
        p90=float(p90),
        p99=float(p99),
        mean=float(milliseconds.mean()),
        least=float(milliseconds.min()),
        drift=float(last / first),
    )


def paired_ratio(times: np.ndarray, base_times: np.ndarray, base: str, seed: int = 0) -> Ratio:
    """Returns the median over rounds of the ratio of two files' times in the same round.

    Two files of one round run within milliseconds of each other, so what slows the machine down
    slows both, and their ratio stands where neither time does. Neighbouring rounds are disturbed
    by the same neighbours, though, so rounds are not independent: an order-statistic interval (or a
    bootstrap of single rounds) would be too narrow. The interval is therefore the percentile
    interval of a circular block bootstrap (Politis and Romano 1992) with blocks of √N rounds: a
    disturbance shorter than a block stays in one piece. On independent rounds it equals the
    ordinary bootstrap's.

    It is the interval of this machine in this state. Where other programs take the core away, a
    long inference is interrupted more often than a short one, which no pairing takes out.

    Args:
        times: (N,) of the file.
        base_times: (N,) of the base in the same rounds, in any one unit.
        base: name of the base.
        seed: of the bootstrap.
    """
    ratios = times / base_times
    medians = np.sort(_block_medians(ratios, np.random.default_rng(seed)))
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(medians, (tail, 1 - tail))
    return Ratio(base, float(np.median(ratios)), float(low), float(high))


def _block_medians(values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Medians of replicates, each put together from blocks of neighbouring values."""
    count = len(values)
    length = int(np.ceil(np.sqrt(count)))
    blocks = -(-count // length)
    at_once = max(1, _CELLS_AT_ONCE // count)
    medians = []
    for start in range(0, _REPLICATES, at_once):
        replicates = min(at_once, _REPLICATES - start)
        starts = generator.integers(0, count, (replicates, blocks, 1))
        places = (starts + np.arange(length)) % count
        drawn = values[places.reshape(replicates, -1)[:, :count]]
        medians.append(np.median(drawn, axis=1))
    return np.concatenate(medians)
