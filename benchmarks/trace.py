"""What a trace of training steps says: how busy the device is, and with which kernels."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtimes.errors import InputError

_LONGEST = 12
_NAME_CHARACTERS = 80
_LAUNCHES = ("cuda_runtime", "cuda_driver")


@dataclass(frozen=True)
class TraceSummary:
    """Means over the traced steps; the profiler itself lengthens a step.

    Attributes:
        steps: how many were traced.
        step_ms: from the first kernel's start to the last one's end, milliseconds a step.
        busy_ms: sum of the kernels' times, milliseconds a step.
        kernels: a step.
        launch_ms: host time in calls of the CUDA runtime and driver, milliseconds a step.
        longest: kernel name to milliseconds a step, the longest first.
    """

    steps: int
    step_ms: float
    busy_ms: float
    kernels: float
    launch_ms: float
    longest: dict[str, float]


def summarise_trace(path: Path, steps: int) -> TraceSummary | None:
    """Reads a trace that torch's profiler wrote (Chrome's JSON, also gzipped).

    Args:
        path: the file.
        steps: how many training steps it holds.

    Returns:
        None where no kernel of a GPU is in it.

    Raises:
        InputError: the file is no such trace.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as file:
            events: list[dict[str, Any]] = json.load(file)["traceEvents"]
        kernels = [event for event in events if event.get("cat") == "kernel"]
        launches = [event["dur"] for event in events if event.get("cat") in _LAUNCHES]
        if not kernels:
            return None
        began = min(event["ts"] for event in kernels)
        ended = max(event["ts"] + event["dur"] for event in kernels)
        times: Counter[str] = Counter()
        for event in kernels:
            times[event["name"][:_NAME_CHARACTERS]] += event["dur"]
    except (
        OSError,
        EOFError,
        zlib.error,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:
        raise InputError(
            f"{path} is no trace of torch's profiler ({error!r}). Write one with "
            "python -m benchmarks training --trace FILE."
        ) from error
    scale = 1e-3 / steps  # microseconds in all to milliseconds a step
    return TraceSummary(
        steps=steps,
        step_ms=(ended - began) * scale,
        busy_ms=sum(event["dur"] for event in kernels) * scale,
        kernels=len(kernels) / steps,
        launch_ms=sum(launches) * scale,
        longest={name: spent * scale for name, spent in times.most_common(_LONGEST)},
    )
