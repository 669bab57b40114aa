"""The gate lets nothing through that is not what torch says."""

from __future__ import annotations

import numpy as np
import pytest

from export.formats import FORMATS, Format, Tolerance
from export.verify import compare, outside
from runtimes.prediction import Prediction

TOLERANCE = Tolerance(1e-3, None, agreement=0.97, decisions=0.97, maps=0.05)
THRESHOLD = 1.0


def _prediction(count: int = 100) -> Prediction:
    generator = np.random.default_rng(0)
    raw = generator.random((count, 4)).astype(np.float32)
    maps = generator.normal(size=(count, 3, 3, 4)).astype(np.float32)
    unknown = generator.normal(size=count).astype(np.float32)
    return Prediction(raw / raw.sum(1, keepdims=True), maps, unknown)


def _changed(**arrays: np.ndarray) -> Prediction:
    return Prediction(**{**vars(_prediction()), **arrays})


def test_equal_answers_pass() -> None:
    comparison = compare(_prediction(), _prediction(), THRESHOLD)
    assert comparison.images == 100
    assert comparison.agreement == 1.0
    assert outside(comparison, TOLERANCE) == []


@pytest.mark.parametrize("output", ["probabilities", "cam", "unknown"])
def test_a_wrong_number_in_any_output_fails(output: str) -> None:
    values = getattr(_prediction(), output).copy()
    values.flat[0] += 5.0
    faults = outside(compare(_prediction(), _changed(**{output: values}), THRESHOLD), TOLERANCE)
    assert len(faults) == 1
    assert ("probability" if output == "probabilities" else output) in faults[0]


@pytest.mark.parametrize("output", ["probabilities", "cam", "unknown"])
def test_not_a_number_fails_even_where_only_agreement_counts(output: str) -> None:
    values = getattr(_prediction(), output).copy()
    values.flat[0] = np.nan
    tolerance = Tolerance(None, None, agreement=0.5, decisions=0.5, maps=1e9)
    comparison = compare(_prediction(), _changed(**{output: values}), THRESHOLD)
    assert outside(comparison, tolerance)
    assert None in comparison.to_json().values()


def test_agreement_below_the_limit_fails() -> None:
    swapped = _prediction().probabilities.copy()
    swapped[:4] = np.roll(swapped[:4], 1, axis=1)
    comparison = compare(_prediction(), _changed(probabilities=swapped), THRESHOLD)
    tolerance = Tolerance(None, None, agreement=0.97, decisions=0.97, maps=1.0)
    assert comparison.agreement == pytest.approx(0.96)
    assert "96.0 %" in outside(comparison, tolerance)[0]


def test_the_share_of_equal_diagnoses_has_its_interval() -> None:
    swapped = _prediction().probabilities.copy()
    swapped[:4] = np.roll(swapped[:4], 1, axis=1)
    found = compare(_prediction(), _changed(probabilities=swapped), THRESHOLD)
    # Wilson's interval for 96 of 100, as tables give it
    assert found.agreement_low == pytest.approx(0.9016, abs=1e-4)
    assert found.agreement_high == pytest.approx(0.9843, abs=1e-4)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.key)
@pytest.mark.parametrize(
    "fault", ["constant maps", "constant unknown", "other temperature", "uniform", "unknown moved"]
)
def test_no_format_tolerates_a_broken_output(form: Format, fault: str) -> None:
    good = _prediction()
    cooled = good.probabilities**3
    changed = {
        "constant maps": {"cam": np.full_like(good.cam, good.cam.mean())},
        "constant unknown": {"unknown": np.full_like(good.unknown, good.unknown.mean())},
        "other temperature": {"probabilities": cooled / cooled.sum(1, keepdims=True)},
        "uniform": {"probabilities": np.full_like(good.probabilities, 0.25)},
        "unknown moved": {"unknown": good.unknown + 0.3},
    }[fault]
    comparison = compare(good, _changed(**changed), THRESHOLD)
    assert outside(comparison, form.tolerance), comparison
    assert not outside(compare(good, good, THRESHOLD), form.tolerance)


def test_maps_of_another_shape_fail() -> None:
    turned = _prediction().cam.transpose(0, 3, 1, 2)
    assert outside(compare(_prediction(), _changed(cam=turned), THRESHOLD), TOLERANCE)
