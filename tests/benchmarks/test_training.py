"""The training benchmark: two rates of one interleaved run and their ratio."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

import benchmarks.training as module
from benchmarks.compute_rate import step_flops
from benchmarks.training import TrainingSpeed, measure_training
from distill.recipes import Pair, read_method


def _measure(method: str, trace: Path | None = None) -> TrainingSpeed:
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
        trace=trace,
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


def test_the_flops_of_a_step_are_counted_forward_and_backward() -> None:
    layer, images = torch.nn.Conv2d(3, 4, 3, bias=False), torch.rand(2, 3, 10, 10)
    macs = 2 * 4 * 8 * 8 * 3 * 3 * 3
    assert step_flops(lambda: layer(images)) == 2 * macs
    # The backward pass of a first layer computes the weights' gradient: as much again.
    assert step_flops(lambda: layer(images).sum().backward()) == 4 * macs


def test_epoch_and_rate_follow_from_the_loops_time() -> None:
    found = _measure("no_kd")
    seconds = found.epoch_images / found.loop_images_per_second
    assert found.epoch_seconds == pytest.approx(seconds)
    assert 0 < found.tera_flops < found.matrix_tera_flops


def test_a_trace_is_written(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    _measure("no_kd", trace=path)
    names = {event.get("name") for event in json.loads(path.read_text())["traceEvents"]}
    assert any("convolution" in str(name) for name in names)
