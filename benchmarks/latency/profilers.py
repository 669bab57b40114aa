"""The profilers of the runtimes, asked in one way; used inside the child process."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.latency.onnx_opening import open_onnx

_WARM_UP = 10


def profile_litert(path: Path, threads: int, runs: int) -> dict[str, Any]:
    """Profiles a .tflite.

    Returns:
        "kinds" of its operators in order; "times", milliseconds of each in every run; "whole",
        milliseconds of the runs.
    """
    from benchmarks.latency.litert_profiler import LiteRTProfiler

    profiler = LiteRTProfiler(path, threads)
    found = [profiler.run() for _ in range(_WARM_UP + runs)][_WARM_UP:]
    return {
        "kinds": [kind for kind, _ in found[0][1]],
        "times": [[time for _, time in operators] for _, operators in found],
        "whole": [whole for whole, _ in found],
    }


def profile_onnx(
    path: Path, threads: int, runs: int, feed: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Profiles an .onnx; returns what `profile_litert` does."""
    events, whole = onnx_events(path, threads, _WARM_UP + runs, feed)
    once = len(events) // (_WARM_UP + runs)
    times = np.array([event["dur"] / 1e3 for event in events]).reshape(-1, once)[_WARM_UP:]
    return {
        "kinds": [event["args"]["op_name"] for event in events[:once]],
        "times": times.tolist(),
        "whole": whole[_WARM_UP:],
    }


def onnx_events(
    path: Path, threads: int, runs: int, feed: dict[str, np.ndarray]
) -> tuple[list[dict[str, Any]], list[float]]:
    """Returns ONNX Runtime's kernel events of `runs` inferences, and their milliseconds."""
    whole = []
    with tempfile.TemporaryDirectory() as folder:
        session = open_onnx(path, threads, Path(folder) / "profile")
        for _ in range(runs):
            started = time.perf_counter()
            session.run(None, feed)
            whole.append(1e3 * (time.perf_counter() - started))
        written = Path(session.end_profiling())
        recorded = json.loads(written.read_text(encoding="utf-8"))
    kernels = [
        event
        for event in recorded
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")
    ]
    return kernels, whole
