"""Metrics against scikit-learn, and intervals against resampling written out by hand."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from distill.metrics import SCALARS, Estimate, evaluate, paired_difference
from distill.scores import weighted_scores
from runtimes.errors import InputError

CLASSES = ("MEL", "NV", "BCC", "AK")


def predictions(seed: int, n: int = 120, digits: int = 8) -> tuple[np.ndarray, np.ndarray, list]:
    """Probabilities (few digits make ties), classes and lesions of about two images."""
    generator = np.random.default_rng(seed)
    target = generator.choice(4, size=n, p=[0.2, 0.6, 0.15, 0.05])
    target[:4] = range(4)
    logits = generator.normal(size=(n, 4))
    logits[np.arange(n), target] += 1.0
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    groups = [f"lesion{number}" for number in generator.integers(n // 2, size=n)]
    return probabilities.round(digits), target, groups


def sklearn_scalars(probabilities: np.ndarray, target: np.ndarray, weight=None) -> dict:
    predicted, one_hot = probabilities.argmax(axis=1), np.eye(4)[target]
    return {
        "accuracy": sklearn_metrics.accuracy_score(target, predicted, sample_weight=weight),
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(
            target, predicted, sample_weight=weight
        ),
        "mean_average_precision": sklearn_metrics.average_precision_score(
            one_hot, probabilities, sample_weight=weight
        ),
        "macro_auc": sklearn_metrics.roc_auc_score(one_hot, probabilities, sample_weight=weight),
    }


@pytest.mark.parametrize("digits", [8, 1], ids=["distinct", "tied"])
def test_figures_equal_scikit_learn(digits: int) -> None:
    probabilities, target, groups = predictions(0, digits=digits)
    found = evaluate(probabilities, target, groups, CLASSES, replicates=2)
    for name, expected in sklearn_scalars(probabilities, target).items():
        assert getattr(found, name).value == pytest.approx(expected, rel=1e-12), name
    predicted = probabilities.argmax(axis=1)
    confusion = sklearn_metrics.confusion_matrix(target, predicted)
    assert np.array_equal(found.confusion, confusion)
    for k, code in enumerate(CLASSES):
        one = found.per_class[code]
        is_k, said_k = target == k, predicted == k
        recall = sklearn_metrics.recall_score
        assert one.images == is_k.sum()
        assert one.sensitivity.value == pytest.approx(recall(is_k, said_k))
        assert one.specificity.value == pytest.approx(recall(~is_k, ~said_k))
        assert one.auc.value == pytest.approx(
            sklearn_metrics.roc_auc_score(is_k, probabilities[:, k])
        )
        assert one.average_precision.value == pytest.approx(
            sklearn_metrics.average_precision_score(is_k, probabilities[:, k])
        )


def test_weighted_scores_equal_scikit_learn_with_sample_weights() -> None:
    probabilities, target, _ = predictions(1, digits=2)
    weights = np.random.default_rng(2).integers(0, 3, size=(5, len(target))).astype(float)
    weights[:, :4] = 1
    scores = weighted_scores(probabilities, target, weights)
    for row, weight in enumerate(weights):
        for name, expected in sklearn_scalars(probabilities, target, weight).items():
            assert getattr(scores, name)[row] == pytest.approx(expected, rel=1e-12), name


def test_calibration_error_is_the_weighted_gap_of_fifteen_bins() -> None:
    probabilities, target, groups = predictions(3)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == target
    expected = 0.0
    for low in range(15):
        inside = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    found = evaluate(probabilities, target, groups, CLASSES, replicates=1)
    assert found.calibration_error.value == pytest.approx(expected)


def test_interval_is_that_of_whole_lesions_drawn_with_replacement() -> None:
    probabilities, target, groups = predictions(4)
    found = evaluate(probabilities, target, groups, CLASSES, replicates=4000, seed=1)
    right = (probabilities.argmax(axis=1) == target).astype(float)
    lesions = [np.flatnonzero(np.array(groups) == group) for group in sorted(set(groups))]
    assert found.lesions == len(lesions)
    generator = np.random.default_rng(99)
    drawn = []
    for _ in range(4000):
        picked = [lesions[i] for i in generator.integers(len(lesions), size=len(lesions))]
        drawn.append(right[np.concatenate(picked)].mean())
    low, high = np.quantile(drawn, (0.025, 0.975))
    assert found.accuracy.low == pytest.approx(low, abs=0.008)
    assert found.accuracy.high == pytest.approx(high, abs=0.008)


def test_images_of_one_lesion_widen_the_interval() -> None:
    probabilities, target, _ = predictions(5, n=60)
    copies = [np.tile(values, (9, 1)) for values in (probabilities, target[:, None])]
    alone = evaluate(copies[0], copies[1][:, 0], [""] * 540, CLASSES, replicates=300)
    grouped = evaluate(
        copies[0], copies[1][:, 0], [str(i % 60) for i in range(540)], CLASSES, replicates=300
    )
    width = [m.accuracy.high - m.accuracy.low for m in (alone, grouped)]
    assert alone.lesions == 540
    assert width[1] == pytest.approx(3 * width[0], rel=0.25)


def test_same_seed_gives_the_same_intervals_whatever_the_chunks(monkeypatch) -> None:
    probabilities, target, groups = predictions(6)
    whole = evaluate(probabilities, target, groups, CLASSES, replicates=20, seed=3)
    monkeypatch.setattr("distill.metrics._CELLS_AT_ONCE", 7 * len(target))
    again = evaluate(probabilities, target, groups, CLASSES, replicates=20, seed=3)
    for name, estimate in again.scalars().items():  # sums of other lengths round otherwise
        assert vars(estimate) == pytest.approx(vars(whole.scalars()[name]), rel=1e-12)
    other = evaluate(probabilities, target, groups, CLASSES, replicates=20, seed=4)
    assert other.scalars() != whole.scalars()


def test_class_without_images_is_undefined_and_left_out_of_the_means() -> None:
    probabilities, target, groups = predictions(7)
    some = target != 3
    found = evaluate(
        probabilities[some], target[some], np.array(groups)[some], CLASSES, replicates=20
    )
    assert found.per_class["AK"].images == 0
    assert found.per_class["AK"].sensitivity == Estimate(None, None, None)
    assert found.per_class["AK"].specificity.value is not None
    present = [found.per_class[code] for code in CLASSES[:3]]
    assert found.macro_auc.value == pytest.approx(np.mean([one.auc.value for one in present]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of predictions of the absent class
        expected = sklearn_metrics.balanced_accuracy_score(
            target[some], probabilities[some].argmax(axis=1)
        )
    assert found.balanced_accuracy.value == pytest.approx(expected)


def test_rare_class_missing_from_replicates_still_has_an_interval() -> None:
    probabilities, target, groups = predictions(8)
    target[target == 3] = 1
    target[0] = 3
    found = evaluate(probabilities, target, groups, CLASSES, replicates=50)
    assert found.per_class["AK"].sensitivity.low == found.per_class["AK"].sensitivity.value
    assert all(estimate.low <= estimate.high for estimate in found.scalars().values())


def test_json_is_plain_and_complete() -> None:
    probabilities, target, groups = predictions(9)
    found = evaluate(probabilities, target, groups, CLASSES, replicates=5)
    read = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert read["accuracy"].keys() == {"value", "low", "high"}
    assert list(read["per_class"]) == list(CLASSES)
    assert sum(map(sum, read["confusion"])) == read["images"] == len(target)
    assert list(found.scalars()) == list(SCALARS)


def test_difference_of_a_classifier_to_itself_is_zero() -> None:
    probabilities, target, groups = predictions(10)
    found = paired_difference(probabilities, probabilities, target, groups, CLASSES, 20)
    assert set(found.values()) == {Estimate(0.0, 0.0, 0.0)}
    assert set(found) == {*SCALARS, *(f"sensitivity {code}" for code in CLASSES)}


def test_difference_is_second_minus_first_on_the_same_lesions() -> None:
    probabilities, target, groups = predictions(11)
    better = probabilities.copy()
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != target)[:15]
    better[wrong] = np.eye(4)[target[wrong]]
    found = paired_difference(probabilities, better, target, groups, CLASSES, 300)
    assert found["accuracy"].value == pytest.approx(15 / len(target))
    # Every resample gains or stays, though the two intervals of their own overlap.
    assert found["accuracy"].low > 0
    alone = [evaluate(p, target, groups, CLASSES, 300).accuracy for p in (probabilities, better)]
    assert alone[0].high > alone[1].low


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, t, g: (p[:, :3], t, g), "got probabilities"),
        (lambda p, t, g: (p, t, g[:-1]), "119 lesions"),
        (lambda p, t, g: (p, t + 1, g), "from 0 to 3"),
        (lambda p, t, g: (p, t.astype(float), g), "whole numbers"),
        (lambda p, t, g: (p * 3, t, g), "between 0 and 1"),
        (lambda p, t, g: (p * np.nan, t, g), "between 0 and 1"),
        (lambda p, t, g: (p[:0], t[:0], []), "at least one image"),
    ],
)
def test_unusable_predictions_are_named(change, message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(*change(*predictions(12)), CLASSES, replicates=2)
