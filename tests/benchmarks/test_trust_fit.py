"""What is fitted goes into the contract as it was fitted, and networks answer as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.trust import fit as fitting
from benchmarks.trust.adopt import adopt, decided
from benchmarks.trust.ask import Setting
from benchmarks.trust.choose import Candidate, Choice
from benchmarks.trust.files import _points
from benchmarks.trust.fit import Fit, Side
from benchmarks.trust.images import CHOOSING, REPORTING, Amounts
from benchmarks.trust.kept import Kept
from benchmarks.trust.measure import _adopted, _calibration
from benchmarks.trust.network import Known, Network, enlarged
from benchmarks.trust.operating import measure_operating_points
from benchmarks.trust.pictures import Photos
from benchmarks.trust.unknown_part import Fitted
from distill.calibration import accepted_sensitivity, calibrated
from distill.checkpoint import load_classifier
from distill.dataset import Dataset
from distill.models import normalise
from distill.unknown import fit_unknown, load_unknown, main_directions
from runtimes.contract import Contract
from runtimes.hashes import sha256_of
from runtimes.metadata import read_contract

RELEASED = Path(__file__).parents[2] / "models" / "mobilenet_v2-ssd_kd"


@pytest.fixture
def setting(sample: Dataset, tmp_path: Path) -> Setting:
    contract = read_contract(RELEASED)
    assert tuple(label.code for label in contract.labels) == sample.index.classes
    return Setting(sample, contract, Amounts(), None, Photos({}, {}), Kept(tmp_path))


@pytest.fixture
def fitted(setting: Setting) -> Fit:
    """Answers that are right more often than not, the sides told apart by their scores."""
    rng = np.random.default_rng(0)

    def answers(side: str, shift: float) -> Known:
        target = Side(setting, side).target if side != "fit" else np.zeros(60, int)
        logits = rng.normal(0, 1, (len(target), 8)) + 2 * np.eye(8)[target]
        pooled = rng.normal(shift, 1, (len(target), 20))
        return Known(pooled.astype(np.float32), logits.astype(np.float32))

    student = {
        "fit": answers("fit", 0),
        CHOOSING: answers(CHOOSING, 0),
        REPORTING: answers(REPORTING, 1),
    }
    score = fit_unknown(student["fit"].pooled, student["fit"].logits, 4, 1.0)
    kept = Fitted("features rank 4 weight 1", "features", score, 0.0)
    threshold = float(np.quantile(kept.of(student[CHOOSING]), 0.9))
    directions = main_directions(student["fit"].pooled)
    validation, test = Side(setting, CHOOSING), Side(setting, REPORTING)
    points = measure_operating_points(
        calibrated(student[CHOOSING].logits, 1.3),
        validation.target,
        calibrated(student[REPORTING].logits, 1.3),
        test.target,
        test.groups,
        setting.dataset.index.classes,
    )
    return Fit(
        temperature=1.3,
        score=replace(kept, threshold=threshold),
        choice=Choice(Candidate(kept.name, 4, 1.0, True), (), directions, {}),
        points=points,
        student=student,
    )


def three(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01}


def document() -> dict[str, Any]:
    names = ("ece", "adaptive_ece", "brier", "nll")
    after = {key: three(0.1 * place) for place, key in enumerate(names, 1)}
    return {
        "images": 48,
        "calibration": {"torch": {"before": {}, "temperature": after, "vector": {}}},
        "unknown": {
            "pictures": {"drawn": {"auroc": three(0.9)}},
            "held_out": {
                "DF": {"chosen": {"auroc": three(0.7)}, "max_logit": {"auroc": three(0.2)}}
            },
        },
        "withheld": {"melanoma": {"called_unknown": three(0.05)}},
    }


def test_a_contract_carries_what_was_fitted_on_validation_images(
    setting: Setting, fitted: Fit
) -> None:
    found = decided(setting, fitted, document())
    scores = fitted.score.of(fitted.student[CHOOSING])
    threshold = fitted.score.threshold
    assert found.calibration.temperature == 1.3
    assert found.calibration.unknown_threshold == threshold
    assert found.calibration.accepted_share == pytest.approx((scores <= threshold).mean())
    assert found.calibration.sensitivity == accepted_sensitivity(
        calibrated(fitted.student[CHOOSING].logits, 1.3),
        Side(setting, CHOOSING).target,
        scores,
        threshold,
        setting.dataset.index.classes,
    )
    decision = found.decision
    assert decision is not None
    assert (decision.unknown_score, decision.aim) == ("features", 0.9)
    for alert, point in zip(decision.alerts, fitted.points, strict=True):
        assert (alert.code, alert.aim, alert.threshold) == ("MEL", point.aim, point.threshold)
        told = point.sensitivity
        assert alert.sensitivity == (told.value, told.low, told.high)
        told = point.specificity
        assert alert.specificity == (told.value, told.low, told.high)
    evidence = decision.evidence
    assert evidence["images"] == 48
    assert evidence["calibration_error"] == pytest.approx([0.1, 0.09, 0.11])
    assert evidence["adaptive_calibration_error"] == pytest.approx([0.2, 0.19, 0.21])
    assert evidence["brier"] == pytest.approx([0.3, 0.29, 0.31])
    assert evidence["negative_log_likelihood"] == pytest.approx([0.4, 0.39, 0.41])
    assert evidence["unknown_auroc drawn"] == pytest.approx([0.9, 0.89, 0.91])
    assert evidence["unknown_auroc held out DF"] == pytest.approx([0.7, 0.69, 0.71])
    assert evidence["melanoma called_unknown"] == pytest.approx([0.05, 0.04, 0.06])
    assert Contract.from_json(found.to_json(), "contract") == found


def test_an_adopted_run_has_its_score_and_says_so(
    setting: Setting, fitted: Fit, tmp_path: Path
) -> None:
    assert not _adopted(setting, fitted)
    (tmp_path / "student.safetensors").write_bytes(b"weights")
    contract = decided(setting, fitted, document())
    written = adopt(tmp_path, contract, fitted)
    assert [path.name for path in written] == ["unknown.safetensors", "contract.json"]
    kept = load_unknown(written[0], sha256_of(tmp_path / "student.safetensors"), 20)
    images = fitted.student[REPORTING]
    pooled, logits = (torch.from_numpy(each) for each in (images.pooled, images.logits))
    assert np.allclose(kept.of(pooled, logits).numpy(), fitted.score.of(images), atol=1e-5)
    carried = replace(setting, contract=read_contract(tmp_path))
    assert _adopted(carried, fitted)
    for other in (
        replace(fitted, temperature=1.4),
        replace(fitted, score=replace(fitted.score, threshold=fitted.score.threshold + 0.1)),
        replace(fitted, score=replace(fitted.score, kind="max_logit")),
        replace(fitted, points=fitted.points[:1]),
    ):
        assert not _adopted(carried, other)


def test_a_new_temperature_is_taken_only_where_it_says_something_else(setting: Setting) -> None:
    rng = np.random.default_rng(1)
    target = rng.integers(0, 8, 4000)
    logits = 2 * rng.normal(0, 1, (4000, 8)) + 3 * np.eye(8)[target]
    own = fitting.fit_temperature(logits, target)

    def with_temperature(value: float) -> Setting:
        calibration = replace(setting.contract.calibration, temperature=value)
        return replace(setting, contract=replace(setting.contract, calibration=calibration))

    for factor, taken in ((1.005, 1.005), (0.995, 0.995), (1.02, 1.0), (0.98, 1.0)):
        found = fitting._temperature(with_temperature(own * factor), logits, target)
        assert found == pytest.approx(own * taken, rel=1e-9)


def test_scaling_is_fitted_on_validation_images_and_told_on_test_images(
    setting: Setting, fitted: Fit
) -> None:
    from benchmarks.trust.calibration import fit_vector, measure_calibration

    test, validation = Side(setting, REPORTING), Side(setting, CHOOSING)
    found = _calibration(setting, fitted, test)
    vector = fit_vector(fitted.student[CHOOSING].logits, validation.target)
    assert found["vector"]["scale"] == pytest.approx(vector.scale.tolist())
    logits = fitted.student[REPORTING].logits
    for way, probabilities in (
        ("before", calibrated(logits, 1.0)),
        ("temperature", calibrated(logits, 1.3)),
        ("vector", vector.apply(logits)),
    ):
        own = measure_calibration(probabilities, test.target, test.groups)
        assert found["torch"][way]["nll"]["value"] == pytest.approx(own.nll.value)
        assert found["torch"][way]["ece"]["value"] == pytest.approx(own.ece.value)
    torch_ = found["torch"]
    gain = torch_["temperature"]["nll"]["value"] - torch_["vector"]["nll"]["value"]
    assert found["vector_gain_nll"] == pytest.approx(gain)
    same = vector.apply(logits).argmax(axis=1) == logits.argmax(axis=1)
    assert found["vector_same_diagnosis"] == pytest.approx(same.mean())


def test_a_file_is_held_to_the_thresholds_of_the_contract(setting: Setting, fitted: Fit) -> None:
    test = Side(setting, REPORTING)
    probabilities = calibrated(fitted.student[REPORTING].logits, 1.3)
    rows = _points(setting, fitted.points, probabilities, test)
    for row, point in zip(rows, fitted.points, strict=True):
        assert row["aim"] == point.aim
        assert row["sensitivity"] == pytest.approx(point.sensitivity.value)
        assert row["specificity"] == pytest.approx(point.specificity.value)


def test_a_network_answers_with_the_features_logits_and_maps_of_its_classifier() -> None:
    classifier = load_classifier(RELEASED / "student.safetensors")
    rng = np.random.default_rng(2)
    images = [rng.integers(0, 256, (24, 24, 3)).astype(np.uint8) for _ in range(5)]
    found = Network(classifier, 64).ask(images, maps=True)
    pixels = torch.from_numpy(enlarged(images, 64)).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        own = classifier(normalise(pixels))
    assert np.abs(found.pooled - own.pooled.numpy()).max() < 1e-4
    assert np.abs(found.logits - own.logits.numpy()).max() < 1e-3
    assert found.maps is not None
    assert found.maps.shape == (5, 2, 2, 8)
    bias = classifier.classifier.bias.detach().numpy()
    assert np.abs(found.maps.mean(axis=(1, 2)) + bias - found.logits).max() < 1e-4
