"""The child process in which model files run: whatever they do to it, its parent goes on.

See `runtimes.child_process` for how the two talk.
"""

from __future__ import annotations

import gc
import importlib
import mmap
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.latency.files import CORE_ML, LITERT, ONNX, RUNTIMES
from benchmarks.latency.profilers import profile_litert, profile_onnx
from benchmarks.latency.timed_model import OnnxModel, TimedModel, open_timed
from benchmarks.memory import peak_memory
from runtimes.child_process import serve
from runtimes.errors import InputError
from runtimes.metadata import find_contract

WARM_UP_ROUNDS = 10
_EMPTY_CALLS = 20_000
_MODULES = {
    LITERT: "ai_edge_litert.interpreter",
    ONNX: "onnxruntime",
    CORE_ML: "runtimes.coremltools_import",
}


def probe(path: Path, threads: int) -> dict[str, Any]:
    """Opens one file and runs it once, each timed in milliseconds, and says what it took."""
    # The runtime's own time and memory are not the file's.
    importlib.import_module(_MODULES[RUNTIMES[path.suffix.lower()]])
    before = peak_memory()
    started = time.perf_counter()
    model = open_timed(path, threads)
    opened = time.perf_counter()
    model.make_inputs()
    model.prepare()
    first = _timed(model.run)
    peak = peak_memory()
    try:
        contract = find_contract(path)
    except InputError:  # a peer may carry anything under that name
        contract = None
    return {
        "load_ms": 1e3 * (opened - started),
        "first_ms": first,
        "peak_memory_bytes": peak,
        "memory_before_bytes": before,
        "back_end": asdict(model.back_end()),
        "contract": None if contract is None else contract.to_json(),
    }


def profile(path: Path, threads: int, runs: int) -> dict[str, Any]:
    """Times every operator of a .tflite or .onnx with its runtime's profiler."""
    if RUNTIMES[path.suffix.lower()] == LITERT:
        return profile_litert(path, threads, runs)
    model = OnnxModel(path, threads)
    model.make_inputs()
    return profile_onnx(path, threads, runs, model.feed)


class Interleaved:
    """Several opened files of one runtime that take turns.

    The number of the file at work stands in one byte of a shared file, where the parent finds it
    when this process has died.
    """

    def __init__(self, paths: list[str], threads: int, marker: str) -> None:
        with open(marker, "r+b") as stream:
            self._marker = mmap.mmap(stream.fileno(), 1)
        self._models: list[TimedModel] = []
        for number, path in enumerate(paths):
            self._marker[0] = number
            model = open_timed(Path(path), threads)
            model.make_inputs()
            self._models.append(model)
        gc.collect()
        gc.disable()  # no pause of ours falls into a time
        self.rounds(WARM_UP_ROUNDS, seed=0)

    def rounds(self, count: int, seed: int) -> dict[str, Any]:
        """Runs each file once a round, in an order drawn anew for each.

        Returns:
            "times": `count` lists of milliseconds in the order of the files; "wall_ms": of all.
        """
        generator = np.random.default_rng(seed)
        times = np.zeros((count, len(self._models)))
        started = time.perf_counter()
        for number in range(count):
            for place in generator.permutation(len(self._models)):
                self._marker[0] = place
                model = self._models[place]
                model.prepare()
                times[number, place] = _timed(model.run)
        wall = time.perf_counter() - started
        return {"times": times.round(5).tolist(), "wall_ms": 1e3 * wall}


def overhead() -> dict[str, Any]:
    """Median time, in milliseconds, of an inference that does nothing: the harness's own."""
    return {"overhead_ms": statistics.median(_timed(_nothing) for _ in range(_EMPTY_CALLS))}


def _nothing() -> None:
    pass


def _timed(run: Callable[[], None]) -> float:
    started = time.perf_counter_ns()
    run()
    return (time.perf_counter_ns() - started) / 1e6


class _Answers:
    """What the messages of a parent are answered with."""

    def __init__(self) -> None:
        self._interleaved: Interleaved | None = None

    def __call__(self, todo: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if todo == "probe":
            return probe(Path(arguments["path"]), arguments["threads"])
        if todo == "profile":
            return profile(Path(arguments["path"]), arguments["threads"], arguments["runs"])
        if todo == "open":
            self._interleaved = Interleaved(**arguments)
            return {}
        if todo == "rounds" and self._interleaved is not None:
            return self._interleaved.rounds(**arguments)
        if todo == "overhead":
            return overhead()
        raise ValueError(f"'{todo}' is no message that can be answered now")


if __name__ == "__main__":
    serve(_Answers())
