"""The training benchmark: two rates of one interleaved run and their ratio."""

from __future__ import annotations

import json
import math

import pytest
import torch

import benchmarks.training as module
from benchmarks.training import TrainingSpeed, measure_training
from distill.recipes import Pair, read_method


def _measure(method: str) -> TrainingSpeed:
    return measure_training(
        read_method(method),
        Pair("shufflenet_v2_x1_0", "shufflenet_v2_x0_5"),
        size=32,
        batch=4,
        cache=32,
        seconds=0.0,
        device=torch.device("cpu"),
        precision=torch.float32,
        compiled=False,
    )


@pytest.mark.parametrize(("method", "views"), [("no_kd", 1), ("ssd_kd", 4)])
def test_rates_and_share_belong_together(method: str, views: int) -> None:
    found = _measure(method)
    ratio = found.loop_images_per_second / found.bare_images_per_second
    assert math.isclose(found.share, ratio, rel_tol=1e-6)
    assert found.share_low <= found.share <= found.share_high
    assert found.views == views
    assert found.pairs >= 3
    json.dumps(found.to_json(), allow_nan=False)


def test_the_share_is_that_of_the_times(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 0.0] + [3.0, 4.0] * 3)
    monkeypatch.setattr(module, "_timed", lambda *ignored: next(times))
    found = _measure("no_kd")
    assert found.share == pytest.approx(0.75)
    assert found.bare_images_per_second == pytest.approx(4 / 3.0)
