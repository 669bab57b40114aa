"""Temperature and threshold against plain searches."""

from __future__ import annotations

import numpy as np
import pytest

from distill.calibration import accepted_sensitivity, fit_temperature, unknown_threshold
from runtimes.errors import InputError


def sampled(temperature: float, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose classes are drawn from softmax(z / temperature)."""
    generator = np.random.default_rng(0)
    logits = 4 * generator.normal(size=(n, 5))
    target = (logits / temperature + generator.gumbel(size=(n, 5))).argmax(axis=1)
    return logits, target


def likelihood(logits: np.ndarray, target: np.ndarray, temperature: float) -> float:
    scaled = logits / temperature
    log_sum = np.log(np.exp(scaled).sum(axis=1))
    return float((log_sum - scaled[np.arange(len(target)), target]).mean())


@pytest.mark.parametrize("true", [0.7, 2.5])
def test_temperature_minimises_the_negative_log_likelihood(true: float) -> None:
    logits, target = sampled(true)
    found = fit_temperature(logits, target)
    assert found == pytest.approx(true, rel=0.2)
    best = likelihood(logits, target, found)
    for factor in (0.99, 1.01):
        assert best < likelihood(logits, target, found * factor)


def test_temperature_scales_with_the_logits() -> None:
    logits, target = sampled(1.5)
    assert fit_temperature(3 * logits, target) == pytest.approx(3 * fit_temperature(logits, target))


def test_temperature_stays_finite_where_there_is_no_optimum() -> None:
    logits, _ = sampled(1.0)
    assert fit_temperature(logits, logits.argmax(axis=1)) == pytest.approx(0.05)
    assert fit_temperature(logits, logits.argmin(axis=1)) == pytest.approx(20.0)


def test_large_logits_do_not_overflow() -> None:
    logits, target = sampled(1.0)
    assert fit_temperature(logits + 1e4, target) == pytest.approx(fit_temperature(logits, target))


@pytest.mark.parametrize("logits", [np.zeros((0, 3)), np.zeros((2, 3)), np.full((1, 3), np.nan)])
def test_unusable_logits_are_named(logits: np.ndarray) -> None:
    with pytest.raises(InputError, match="temperature"):
        fit_temperature(logits, np.zeros(min(len(logits), 1), dtype=int))


@pytest.mark.parametrize(("share", "accepted"), [(0.95, 95), (0.949, 95), (0.55, 55), (1.0, 100)])
def test_threshold_accepts_just_the_share(share: float, accepted: int) -> None:
    scores = np.random.default_rng(1).normal(size=100)
    threshold = unknown_threshold(scores, share)
    assert (scores <= threshold).sum() == accepted
    assert threshold in scores


@pytest.mark.parametrize(("scores", "share"), [([], 0.9), ([1.0, np.nan], 0.9), ([1.0], 0.0)])
def test_unusable_scores_are_named(scores: list[float], share: float) -> None:
    with pytest.raises(InputError):
        unknown_threshold(np.array(scores), share)


def test_sensitivity_counts_the_accepted_images_alone() -> None:
    probabilities = np.eye(3)[[0, 0, 1, 0, 1, 2]]  # the fourth, at the threshold, is accepted
    target = np.array([0, 0, 0, 1, 1, 2])
    scores = np.array([-3.0, -1.0, -3.0, -2.0, -9.0, 0.0])
    found = accepted_sensitivity(probabilities, target, scores, -2.0, ("MEL", "NV", "DF"))
    assert found == {"MEL": 0.5, "NV": 0.5}
