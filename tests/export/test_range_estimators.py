"""Estimators of an activation's range: what each cuts off, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest

from export.quantization.range_estimators import (
    ESTIMATORS,
    GROUP,
    AveragedExtremes,
    Extremes,
    LeastSquares,
    Percentile,
    usable_range,
)
from runtimes.errors import InputError


def _seen(estimator, images):  # type: ignore[no-untyped-def]
    for image in images:
        estimator.see(image)
    return estimator.range()


@pytest.fixture
def images() -> np.ndarray:
    """Sixteen activations after a ReLU, one of which has a value that sticks out."""
    drawn = np.random.default_rng(1).normal(0, 1, (2 * GROUP, 8, 8, 12)).clip(0)
    drawn[3, 0, 0, 0] = 50
    return drawn


def _error(images: np.ndarray, low: float, high: float) -> float:
    scale = (high - low) / 255
    steps = np.clip(np.round((images - low) / scale), 0, 255)
    return float(np.square(steps * scale + low - images).mean())


def test_extremes_hold_every_value(images: np.ndarray) -> None:
    assert _seen(Extremes(), images) == (0, 50)


def test_the_mean_over_groups_halves_what_one_group_has_alone(images: np.ndarray) -> None:
    low, high = _seen(AveragedExtremes(), images)
    assert low == 0
    assert high == pytest.approx((50 + images[GROUP:].max()) / 2)


def test_a_percentile_cuts_off_the_outermost_values() -> None:
    values = np.random.default_rng(0).uniform(-1, 2, (200, 1000))
    values[7, 7] = 1000.0
    low, high = _seen(Percentile(), values)
    assert low == pytest.approx(-1, abs=0.01)
    assert high == pytest.approx(2, abs=0.01)


def test_least_squares_beats_the_full_range_where_a_few_values_stick_out() -> None:
    # A long tail: cutting it off costs less than coarse steps for all the others.
    values = np.random.default_rng(0).standard_t(3, (64, 1000)).clip(0)
    low, high = _seen(LeastSquares(), values)
    assert low == 0
    assert high < values.max()
    assert _error(values, low, high) < _error(values, 0, values.max())


def test_least_squares_keeps_the_range_of_evenly_spread_values() -> None:
    values = np.random.default_rng(0).uniform(0, 6, (64, 1000))
    low, high = _seen(LeastSquares(), values)
    assert low == 0
    assert high == pytest.approx(6, rel=0.02)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_range_contains_zero_and_is_the_same_each_time(name: str, images: np.ndarray) -> None:
    found = [_seen(ESTIMATORS[name](), images + 3) for _ in range(2)]
    assert found[0] == found[1]
    assert found[0][0] == 0 < found[0][1]
    assert _seen(ESTIMATORS[name](), -images - 3)[1] == 0


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_silent_activation_has_the_range_zero(name: str) -> None:
    assert _seen(ESTIMATORS[name](), np.zeros((10, 4, 4, 2))) == (0, 0)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_activation_that_is_always_zero_has_a_range_all_the_same(name: str) -> None:
    silent, alive = ESTIMATORS[name](), ESTIMATORS[name]()
    for _ in range(GROUP):
        silent.see(np.zeros((4, 4)))
        alive.see(np.linspace(-1, 3, 16))
    assert usable_range(silent, "silent") == (0, 1)
    assert usable_range(alive, "alive") == alive.range()


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("place", [0, GROUP - 1])
def test_an_activation_that_is_not_a_number_on_one_image_is_refused_by_its_name(
    name: str, place: int
) -> None:
    estimator = ESTIMATORS[name]()
    for number in range(GROUP):
        estimator.see(np.full((4, 4), np.nan if number == place else 1.0))
    with pytest.raises(InputError, match="the tensor somewhere reaches from"):
        usable_range(estimator, "somewhere")
