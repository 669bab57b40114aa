"""The gate lets nothing through that is not what torch says."""

from __future__ import annotations

import numpy as np
import pytest

from export.formats import Tolerance
from export.verify import compare, outside
from runtimes.prediction import Prediction

TOLERANCE = Tolerance(probability=1e-3, agreement=0.97, maps=0.05)


def _prediction(count: int = 100) -> Prediction:
    generator = np.random.default_rng(0)
    raw = generator.random((count, 4)).astype(np.float32)
    maps = generator.normal(size=(count, 3, 3, 4)).astype(np.float32)
    unknown = generator.normal(size=count).astype(np.float32)
    return Prediction(raw / raw.sum(1, keepdims=True), maps, unknown)


def _changed(**arrays: np.ndarray) -> Prediction:
    return Prediction(**{**vars(_prediction()), **arrays})


def test_equal_answers_pass() -> None:
    comparison = compare(_prediction(), _prediction())
    assert comparison.images == 100
    assert comparison.agreement == 1.0
    assert outside(comparison, TOLERANCE) == []


@pytest.mark.parametrize("output", ["probabilities", "cam", "unknown"])
def test_a_wrong_number_in_any_output_fails(output: str) -> None:
    values = getattr(_prediction(), output).copy()
    values.flat[0] += 5.0
    faults = outside(compare(_prediction(), _changed(**{output: values})), TOLERANCE)
    assert len(faults) == 1
    assert ("probability" if output == "probabilities" else output) in faults[0]


@pytest.mark.parametrize("output", ["probabilities", "cam", "unknown"])
def test_not_a_number_fails_even_where_only_agreement_counts(output: str) -> None:
    values = getattr(_prediction(), output).copy()
    values.flat[0] = np.nan
    tolerance = Tolerance(probability=None, agreement=0.5, maps=1e9)
    comparison = compare(_prediction(), _changed(**{output: values}))
    assert outside(comparison, tolerance)
    assert None in comparison.to_json().values()


def test_agreement_below_the_limit_fails() -> None:
    swapped = _prediction().probabilities.copy()
    swapped[:4] = np.roll(swapped[:4], 1, axis=1)
    comparison = compare(_prediction(), _changed(probabilities=swapped))
    tolerance = Tolerance(probability=None, agreement=0.97, maps=1.0)
    assert comparison.agreement == pytest.approx(0.96)
    assert "96.0 %" in outside(comparison, tolerance)[0]


def test_maps_of_another_shape_fail() -> None:
    turned = _prediction().cam.transpose(0, 3, 1, 2)
    assert outside(compare(_prediction(), _changed(cam=turned)), TOLERANCE)
