"""Percentiles, paired ratios and drift are those of the literature."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.latency.statistics import paired_ratio, summarize


def test_percentiles_are_numpys_and_the_drift_compares_last_with_first() -> None:
    drawn = np.random.default_rng(0).lognormal(size=1001)
    found = summarize(drawn)
    expected = np.percentile(drawn, [50, 90, 99])
    assert [found.p50, found.p90, found.p99] == pytest.approx(list(expected))
    assert (found.runs, found.least) == (1001, drawn.min())
    slower = np.concatenate([np.full(50, 2.0), np.full(50, 9.0), np.full(50, 3.0)])
    assert summarize(slower).drift == pytest.approx(1.5)
    assert summarize(np.array([4.0])).p99 == 4.0


def test_a_disturbance_that_both_files_share_cancels() -> None:
    generator = np.random.default_rng(1)
    shared = generator.lognormal(sigma=1.0, size=500)
    found = paired_ratio(0.4 * shared, shared, "b")
    assert (found.value, found.low, found.high) == pytest.approx((0.4, 0.4, 0.4))
    assert found.base == "b"


def test_the_interval_of_independent_rounds_is_scipys_bootstrap() -> None:
    generator = np.random.default_rng(2)
    base = np.ones(900)
    times = generator.lognormal(sigma=0.2, size=900)
    found = paired_ratio(times, base, "b")
    interval = stats.bootstrap(
        (times,), np.median, method="percentile", n_resamples=4000, rng=np.random.default_rng(3)
    ).confidence_interval
    width = interval.high - interval.low
    assert found.value == pytest.approx(np.median(times))
    assert found.low == pytest.approx(interval.low, abs=0.4 * width)
    assert found.high == pytest.approx(interval.high, abs=0.4 * width)


def test_the_interval_holds_the_truth_where_neighbours_are_disturbed_alike() -> None:
    def share(interval_of) -> float:  # type: ignore[no-untyped-def]
        held = 0
        for seed in range(60):
            generator = np.random.default_rng(seed)
            bursts = np.repeat(generator.normal(size=60), 10)  # ten rounds long each
            times = np.exp(0.2 * bursts + 0.02 * generator.normal(size=600))
            low, high = interval_of(times)
            held += low <= 1.0 <= high
        return held / 60

    def blocks(times: np.ndarray) -> tuple[float, float]:
        found = paired_ratio(times, np.ones_like(times), "b")
        return found.low, found.high

    def order_statistics(times: np.ndarray) -> tuple[float, float]:
        low, high = stats.binom.interval(0.95, len(times), 0.5)
        ordered = np.sort(times)
        return ordered[int(low)], ordered[int(high)]

    assert share(blocks) > 0.85
    assert share(order_statistics) < 0.75
