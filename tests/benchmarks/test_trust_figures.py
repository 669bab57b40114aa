"""The figures of trust against scikit-learn and against what they are defined as."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    roc_auc_score,
    roc_curve,
)

from benchmarks.bootstrap import mean_of, with_interval
from benchmarks.trust import attention, calibration, detection
from benchmarks.trust.calibration import BINS, fit_vector, measure_calibration, uncalibrated
from benchmarks.trust.choose import Material, choose, scores_of
from benchmarks.trust.groups_part import measure_changes
from benchmarks.trust.network import Known
from benchmarks.trust.operating import find_threshold, measure_operating_points
from benchmarks.trust.pictures import bare_skin, largest_square
from distill.calibration import calibrated
from distill.metrics import evaluate, lesion_numbers, resampled_weights
from distill.unknown import fit_unknown, main_directions
from runtimes.errors import InputError


@pytest.fixture(scope="module")
def logits() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 4, 600)
    return rng.normal(0, 1, (600, 4)) + 2.5 * np.eye(4)[target], target


def test_brier_score_and_likelihood_are_scikit_learns(
    logits: tuple[np.ndarray, np.ndarray],
) -> None:
    z, target = logits
    probabilities = calibrated(3 * z, 1.0)
    found = measure_calibration(probabilities, target, [""] * 600)
    assert found.nll.value == pytest.approx(log_loss(target, probabilities))
    each = [brier_score_loss(target == k, probabilities[:, k]) for k in range(4)]
    assert found.brier.value == pytest.approx(sum(each))
    own = evaluate(probabilities, target, [""] * 600, list("ABCD"), replicates=1)
    assert found.ece.value == pytest.approx(own.calibration_error.value)
    assert sum(each.images for each in found.bins) == 600
    assert found.ece.low is not None
    assert found.ece.low <= found.ece.high  # type: ignore[operator]


def test_bins_of_equal_width_are_open_below_and_closed_above() -> None:
    for confidence, other, bins in ((0.06, 0.10, 2), (1 / 15, 0.10, 2), (0.10, 0.13, 1)):
        rows = [[top, *((1 - top) / 19 for _ in range(19))] for top in (confidence, other)]
        found = measure_calibration(np.array(rows), np.array([0, 1]), ["a", "b"])
        assert len(found.bins) == bins
        gaps = [1 - confidence, -other]
        expected = np.abs(gaps).sum() / 2 if bins == 2 else abs(sum(gaps)) / 2
        assert found.ece.value == pytest.approx(expected)


def test_adaptive_bins_hold_equally_many_images(logits: tuple[np.ndarray, np.ndarray]) -> None:
    z, target = logits
    probabilities = calibrated(z, 0.3)
    order = np.argsort(probabilities.max(axis=1), kind="stable")
    right = probabilities.argmax(axis=1) == target
    parts = np.array_split(order, BINS)
    assert {len(part) for part in parts} == {40}
    gaps = [abs(right[p].mean() - probabilities[p].max(axis=1).mean()) for p in parts]
    found = measure_calibration(probabilities, target, [""] * 600)
    assert found.adaptive_ece.value == pytest.approx(np.mean(gaps))


def test_what_a_file_said_before_its_temperature_comes_back(
    logits: tuple[np.ndarray, np.ndarray],
) -> None:
    z, _ = logits
    told = calibrated(z, 1.7).astype(np.float32)
    assert np.abs(uncalibrated(told, 1.7) - calibrated(z, 1.0)).max() < 1e-5


def test_vector_scaling_is_at_least_as_likely_and_needs_every_class(
    logits: tuple[np.ndarray, np.ndarray],
) -> None:
    z, target = logits
    skewed = z * [0.5, 1, 2, 3] + [0, 1, 0, -1]
    vector = fit_vector(skewed, target)
    assert log_loss(target, vector.apply(skewed)) < log_loss(target, calibrated(skewed, 1.0)) - 0.05
    row = np.arange(600)

    def likelihood(numbers: np.ndarray) -> float:
        scaled = skewed * numbers[:4] + numbers[4:]
        return float((logsumexp(scaled, axis=1) - scaled[row, target]).mean())

    best = minimize(likelihood, np.r_[np.ones(4), np.zeros(4)], method="BFGS")
    assert log_loss(target, vector.apply(skewed)) == pytest.approx(best.fun, abs=1e-4)
    with pytest.raises(InputError, match="number 3 have none"):
        fit_vector(skewed[target < 3], target[target < 3])


def test_detection_is_scikit_learns_also_with_ties() -> None:
    rng = np.random.default_rng(1)
    known, unknown = rng.normal(0, 1, 300).round(1), rng.normal(1, 1, 80).round(1)
    found = detection.measure_detection(known, unknown, [""] * 300)
    score, positive = np.r_[known, unknown], np.r_[np.zeros(300), np.ones(80)]
    assert found.auroc.value == pytest.approx(roc_auc_score(positive, score))
    assert found.aupr.value == pytest.approx(average_precision_score(positive, score))
    reached = np.sort(unknown)[::-1][int(np.ceil(0.95 * 80)) - 1]
    assert found.fpr95.value == pytest.approx((known >= reached).mean())
    assert detection.auroc(known, unknown) == pytest.approx(roc_auc_score(positive, score))


def test_intervals_resample_lesions_and_not_images() -> None:
    values = np.repeat(np.random.default_rng(2).normal(0, 1, 40), 25)
    whole = with_interval(mean_of(values), [""] * 1000)
    lesions = with_interval(mean_of(values), [f"L{i // 25}" for i in range(1000)])
    assert whole.value == lesions.value == pytest.approx(values.mean())
    width = [each.high - each.low for each in (whole, lesions)]  # type: ignore[operator]
    assert width[1] > 3 * width[0]


FEWER = 60


@pytest.fixture
def few_replicates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replicates that scikit-learn can be asked about, too."""
    for module in (calibration, detection):
        monkeypatch.setattr(module, "with_interval", partial(with_interval, replicates=FEWER))


def _resamples(groups: list[str]) -> np.ndarray:
    """Weights (R, N) of the bootstrap, which the tests of metrics hold to be over lesions."""
    return np.concatenate(list(resampled_weights(lesion_numbers(groups), FEWER, 0)))


@pytest.mark.usefixtures("few_replicates")
def test_intervals_of_detection_are_quantiles_of_scikit_learns_figures() -> None:
    rng = np.random.default_rng(7)
    known, unknown = rng.normal(0, 1, 90).round(1), rng.normal(1, 1, 40).round(1)
    lesions = [f"L{int(i**0.5)}" for i in range(90)]  # of 1 to 17 images
    found = detection.measure_detection(known, unknown, lesions)
    score, positive = np.r_[known, unknown], np.r_[np.zeros(90), np.ones(40)]
    weights = _resamples([*lesions, *(f"U{i}" for i in range(40))])
    drawn: dict[str, list[float]] = {"auroc": [], "aupr": [], "fpr95": []}
    for own in weights:
        drawn["auroc"].append(roc_auc_score(positive, score, sample_weight=own))
        drawn["aupr"].append(average_precision_score(positive, score, sample_weight=own))
        false, true, _ = roc_curve(positive, score, sample_weight=own, drop_intermediate=False)
        drawn["fpr95"].append(false[np.argmax(true >= 0.95 - 1e-9)])
    for name, values in drawn.items():
        estimate = getattr(found, name)
        assert (estimate.low, estimate.high) == pytest.approx(np.quantile(values, (0.025, 0.975)))


@pytest.mark.usefixtures("few_replicates")
def test_intervals_of_calibration_are_quantiles_of_resampled_images(
    logits: tuple[np.ndarray, np.ndarray],
) -> None:
    z, target = logits[0][:120], logits[1][:120]
    probabilities = calibrated(z, 0.7)
    lesions = [f"L{int(i**0.5)}" for i in range(120)]
    found = measure_calibration(probabilities, target, lesions)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == target
    edges = np.linspace(0, 1, BINS + 1)
    ranks = np.argsort(np.argsort(confidence))
    drawn: dict[str, list[float]] = {"ece": [], "adaptive_ece": [], "nll": []}
    for own in _resamples(lesions).astype(int):
        rows = np.repeat(np.arange(120), own)
        even = np.digitize(confidence[rows], edges, right=True) - 1
        for name, places in (("ece", even), ("adaptive_ece", ranks[rows] // 8)):
            drawn[name].append(
                sum(
                    (places == k).mean()
                    * abs(right[rows][places == k].mean() - confidence[rows][places == k].mean())
                    for k in np.unique(places)
                )
            )
        drawn["nll"].append(log_loss(target[rows], probabilities[rows], labels=range(4)))
    for name, values in drawn.items():
        estimate = getattr(found, name)
        assert (estimate.low, estimate.high) == pytest.approx(np.quantile(values, (0.025, 0.975)))
    # which is why an interval of an ECE may lie above its value
    assert np.mean(drawn["ece"]) > found.ece.value  # type: ignore[operator]


@pytest.mark.usefixtures("few_replicates")
def test_the_area_under_risk_and_coverage_is_that_of_repeated_images() -> None:
    rng = np.random.default_rng(8)
    scores, right = rng.normal(0, 1, 60), rng.random(60) < 0.7
    lesions = [f"L{i // 2}" for i in range(60)]
    found = detection.measure_risk_coverage(scores, right, lesions)
    order = np.argsort(scores)
    values = []
    for own in _resamples(lesions).astype(int):
        wrong, count = ~right[order], own[order]
        taken, errors = np.cumsum(count), np.cumsum(count * wrong)
        risks = np.repeat(errors / np.maximum(taken, 1), count)  # copies count at the last of them
        values.append(risks.mean())
    assert (found.area.low, found.area.high) == pytest.approx(np.quantile(values, (0.025, 0.975)))
    best = np.cumsum(np.sort(~right)) / np.arange(1, 61)
    assert found.optimal == pytest.approx(best.mean())
    assert found.optimal < found.area.value  # type: ignore[operator]


def test_risk_is_measured_from_the_most_known_image_on() -> None:
    scores, right = np.array([3.0, 1.0, 2.0, 4.0]), np.array([False, True, True, False])
    found = detection.measure_risk_coverage(scores, right, list("abcd"), points=4)
    assert found.coverage == (0.25, 0.5, 0.75, 1.0)
    assert found.risk == pytest.approx((0, 0, 1 / 3, 1 / 2))
    assert found.area.value == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)
    assert found.optimal == pytest.approx(found.area.value)


def test_the_unknown_score_is_the_distance_of_probabilistic_pca() -> None:
    rng = np.random.default_rng(3)
    pooled = (rng.normal(0, 1, (500, 12)) * np.linspace(3, 0.2, 12) + 1).astype(np.float32)
    logits = rng.normal(0, 2, (500, 3)).astype(np.float32)
    score = fit_unknown(pooled, logits, 4, 2.0)
    known = main_directions(pooled)
    around = known.variances[4:].mean()
    model = known.axes @ np.diag(np.r_[known.variances[:4], [around] * 8]) @ known.axes.T
    away = pooled - known.centre
    distance = np.einsum("nc,cd,nd->n", away, np.linalg.inv(model), away)
    top = logits.max(axis=1)
    expected = distance / distance.std() - 2 * top / top.std()
    found = score.of(torch.from_numpy(pooled), torch.from_numpy(logits)).numpy()
    assert np.abs(found - expected).max() < 1e-3
    with pytest.raises(InputError, match="rank is 12"):
        fit_unknown(pooled, logits, 12, 0.0)
    with pytest.raises(InputError, match="rank is 6; 5 images with 12 features allow 1 to 4"):
        fit_unknown(pooled[:5], logits[:5], 6, 0.0)


def test_rounding_of_float32_is_no_direction() -> None:
    rng = np.random.default_rng(9)
    flat = (rng.normal(0, 1, (200, 10)) @ rng.normal(0, 1, (10, 30)) + 5).astype(np.float32)
    known = main_directions(flat)
    assert known.variances[10:].mean() > 0
    assert [known.allow(rank) for rank in (9, 10, 30)] == [True, False, False]
    with pytest.raises(InputError, match="lie in fewer directions"):
        fit_unknown(flat, rng.normal(0, 1, (200, 3)), 10, 0.0)


def test_the_choice_takes_what_knows_pictures_and_held_out_classes_best() -> None:
    rng = np.random.default_rng(4)

    def images(count: int, shift: float, top: float) -> Known:
        pooled = rng.normal(0, 1, (count, 90)).astype(np.float32)
        pooled[:, 80:] = 0.05 * pooled[:, 80:] + shift
        return Known(pooled, rng.normal(top, 1, (count, 3)).astype(np.float32))

    student = Material(
        images(300, 0, 3), images(200, 0, 3), {k: images(60, 3, 6) for k in ("drawn", "blurred")}
    )
    held = Material(images(300, 0, 3), images(200, 0, 3), {"DF": images(60, 0, 1)})
    found = choose(student, {"DF": held})
    by_name = {trial.name: trial for trial in found.trials}
    assert by_name["max_logit"].pictures["drawn"] < 0.2
    assert by_name["max_logit"].held_out["DF"] > 0.8
    assert not by_name["energy"].deployable
    assert [trial.name for trial in found.trials if trial.chosen] == [found.candidate.name]
    best = by_name[found.candidate.name]
    assert best.pictures["drawn"] > 0.95
    assert found.candidate.weight > 0  # the held-out class asks for some of the logit
    alone = choose(student, {})
    fitted = alone.candidate.fitted(student.fit, alone.directions)
    assert scores_of(fitted, student.unknown["drawn"]).min() > np.median(
        scores_of(fitted, student.validation)
    )


def test_a_threshold_keeps_the_sensitivity_that_it_aims_at() -> None:
    scores = np.arange(20) / 20
    assert (scores >= find_threshold(scores, 0.90)).mean() == 0.9
    assert (scores >= find_threshold(scores, 0.95)).mean() == 0.95
    probabilities = np.tile([[0.3, 0.7]], (4, 1))
    arguments = (probabilities, np.ones(4, int), probabilities, np.ones(4, int), list("abcd"))
    with pytest.raises(InputError, match="no image of MEL"):
        measure_operating_points(*arguments, ["MEL", "NV"])
    with pytest.raises(InputError, match="none of the classes"):
        measure_operating_points(*arguments, ["A", "B"])


def test_operating_points_are_found_on_one_side_and_told_on_the_other() -> None:
    rng = np.random.default_rng(5)
    target = np.repeat([0, 1], 100)
    p = np.clip(np.where(target == 0, 0.6, 0.3) + rng.normal(0, 0.15, 200), 0, 1)
    both = np.stack([p, 1 - p], axis=1)
    points = measure_operating_points(
        both, target, both[::2], target[::2], [f"L{i}" for i in range(100)], ["MEL", "NV"]
    )
    assert [point.aim for point in points] == [0.90, 0.95]
    for point in points:
        assert (p[:100] >= point.threshold).mean() >= point.aim
        called = both[::2, 0] >= point.threshold
        assert point.sensitivity.value == pytest.approx(called[:50].mean())
        assert point.specificity.value == pytest.approx((~called[50:]).mean())
        assert point.called == pytest.approx(called.mean())
    assert points[0].threshold >= points[1].threshold


def test_energy_pointing_and_overlap_of_a_known_map() -> None:
    mask = np.zeros((1, 4, 4), bool)
    mask[0, :2] = True
    shown = np.zeros((1, 4, 4), np.float32)
    shown[0, 0, 0], shown[0, 3, 3] = 3.0, 1.0
    found = attention.look(shown, mask, 0.5)
    assert found.energy[0] == pytest.approx(0.75)
    assert found.pointing[0] == 1
    assert found.iou[0] == pytest.approx(1 / 8)
    assert attention.look(shown, mask, 0.2).iou[0] == pytest.approx(1 / 9)
    assert np.isnan(found.agreement[0])
    assert attention.look(shown, mask, 0.5, 2 * shown).agreement[0] == pytest.approx(1)
    assert np.isnan(attention.look(0 * shown, mask, 0.5).energy[0])
    assert attention.energy_on(shown, ~mask)[0] == pytest.approx(0.25)


def test_maps_are_of_the_named_class_and_without_their_negative_part() -> None:
    maps = np.random.default_rng(6).normal(0, 1, (2, 7, 7, 3)).astype(np.float32)
    shown = attention.shown_maps(maps, np.array([2, 0]), 7)
    assert np.allclose(shown[0], np.maximum(maps[0, :, :, 2], 0))
    assert np.allclose(shown[1], np.maximum(maps[1, :, :, 0], 0))


def test_the_largest_square_beside_a_lesion_is_found() -> None:
    free = np.ones((30, 30), bool)
    free[12:18, 12:18] = False
    row, column, side = largest_square(free)
    assert side == 12
    assert free[row : row + side, column : column + side].all()
    assert largest_square(np.zeros((5, 5), bool)) == (0, 0, 0)
    image = np.full((30, 30, 3), 200, np.uint8)
    image[12:18, 12:18] = 20
    (skin,) = bare_skin([image], [~free])
    assert skin.shape == (30, 30, 3)
    assert skin.min() == 200  # nothing of the lesion
    assert bare_skin([image], [free]) == []  # all but a small square is lesion
    assert bare_skin([image // 4], [~free]) == []  # outside of a round field of view


def test_changes_are_measured_against_the_unchanged_picture() -> None:
    before = np.array([[0.9, 0.1], [0.2, 0.8]])
    after = np.array([[0.4, 0.6], [0.2, 0.8]])
    answers = {
        "unchanged": {"probabilities": before},
        "flip": {"probabilities": before},
        "blur": {"probabilities": after},
    }
    found = measure_changes({"torch:fp32": answers}, np.array([0, 1]), ["a", "b"])
    row = found["formats"]["torch:fp32"]["changes"]["blur"]
    assert row["same_diagnosis"]["value"] == 0.5
    assert row["accuracy_change"]["value"] == -0.5
    assert row["mean_difference"]["value"] == pytest.approx(0.25)
    assert found["worst"]["torch:fp32"]["change"] == "blur"
    assert found["formats"]["torch:fp32"]["accuracy"]["value"] == 1
