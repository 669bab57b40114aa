"""Where the time of an inference goes, operator by operator, from the runtimes' own profilers."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.latency.files import CHILD, TimedFile
from runtimes.child_process import Child, ChildDied
from runtimes.errors import InputError

_TIMEOUT_S = 300.0


class NotProfiled(InputError):
    """A file that its runtime does not run, or that has no profiler here."""


@dataclass(frozen=True)
class Operator:
    """One operator as the runtime carries it out, after its own fusing.

    Attributes:
        number: its place in the order of execution.
        kind: as the runtime calls the kernel, with its number type where it says so.
        milliseconds: median over the runs.
    """

    number: int
    kind: str
    milliseconds: float


@dataclass(frozen=True)
class Profile:
    """The operators of one file.

    Attributes:
        file: its name.
        runs: that the medians are over.
        whole_ms: median of an inference with the profiler at work.
        operators: in the order of execution.
    """

    file: str
    runs: int
    whole_ms: float
    operators: tuple[Operator, ...]

    def by_kind(self) -> list[tuple[str, int, float]]:
        """Kind, how many of it, and their milliseconds together; the most costly first."""
        counts = Counter(operator.kind for operator in self.operators)
        times: Counter[str] = Counter()
        for operator in self.operators:
            times[operator.kind] += operator.milliseconds  # type: ignore[assignment]
        return [(kind, counts[kind], float(time)) for kind, time in times.most_common()]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def profile_file(file: TimedFile, threads: int, runs: int) -> Profile:
    """Profiles a file in a process of its own.

    Raises:
        NotProfiled: the file is no .tflite or .onnx, or cannot be run.
    """
    if file.path.suffix.lower() not in (".tflite", ".onnx"):
        raise NotProfiled(f"{file.path}: only a .tflite and an .onnx can be profiled.")
    try:
        if file.fault:
            raise ChildDied(file.fault)
        with Child(CHILD) as child:
            found = child.ask(
                _TIMEOUT_S, do="profile", path=str(file.path), threads=threads, runs=runs
            )
    except ChildDied as death:
        raise NotProfiled(f"{file.path}: it cannot be profiled ({death}).") from death
    times = np.median(found["times"], axis=0)
    operators = [
        Operator(number, kind, float(time))
        for number, (kind, time) in enumerate(zip(found["kinds"], times, strict=True))
    ]
    return Profile(file.name, runs, float(np.median(found["whole"])), tuple(operators))
