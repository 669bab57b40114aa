"""The summary of a trace: of one that a GPU wrote, and of files that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.trace import summarise_trace
from runtimes.errors import InputError

# Three steps of ssd_kd, ResNet-50 to MobileNetV2, 32 images of four views at 224 px on an H200; the
# kernels' and launches' names, starts and lengths alone.
TRACE = Path(__file__).with_name("gpu_trace.json.gz")


def test_a_gpu_s_trace_is_summed_up() -> None:
    found = summarise_trace(TRACE, 3)
    assert found is not None
    assert found.kernels == 1764
    assert found.busy_ms == pytest.approx(29.669, abs=1e-3)
    assert found.step_ms == pytest.approx(67.547, abs=1e-3)
    assert 0 < found.launch_ms < found.step_ms
    names = list(found.longest.items())
    assert names == sorted(names, key=lambda item: -item[1])
    assert "batch_norm" in names[0][0]
    assert sum(found.longest.values()) < found.busy_ms


def test_two_kernels_by_hand(tmp_path: Path) -> None:
    events = [
        {"cat": "kernel", "name": "a", "ts": 1000.0, "dur": 500.0},
        {"cat": "kernel", "name": "b", "ts": 4000.0, "dur": 1000.0},
        {"cat": "cuda_runtime", "name": "cudaLaunchKernel", "ts": 900.0, "dur": 20.0},
        {"cat": "cpu_op", "name": "aten::add", "ts": 0.0, "dur": 9000.0},
    ]
    path = tmp_path / "trace.json"
    path.write_text(json.dumps({"traceEvents": events}))
    found = summarise_trace(path, 2)
    assert found is not None
    assert (found.step_ms, found.busy_ms, found.kernels, found.launch_ms) == (2.0, 0.75, 1.0, 0.01)
    assert found.longest == {"b": 0.5, "a": 0.25}


def test_a_cpu_s_trace_has_no_kernels(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text('{"traceEvents": [{"cat": "cpu_op", "name": "aten::add", "ts": 0, "dur": 1}]}')
    assert summarise_trace(path, 1) is None


@pytest.mark.parametrize("content", ["", "[]", '{"traceEvents": [{"cat": "kernel"}]}', "{}"])
def test_what_is_no_trace_is_told(content: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"trace\.json is no trace"):
        summarise_trace(path, 1)
    with pytest.raises(InputError, match="missing"):
        summarise_trace(tmp_path / "missing.json", 1)


def test_a_trace_that_ends_early_is_told(tmp_path: Path) -> None:
    path = tmp_path / "trace.json.gz"
    path.write_bytes(TRACE.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"trace\.json\.gz is no trace"):
        summarise_trace(path, 3)
