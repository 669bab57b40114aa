"""Latency of model files, one beside the other: the whole measurement and its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.latency.child import WARM_UP_ROUNDS
from benchmarks.latency.files import TimedFile
from benchmarks.latency.machine import Machine, State, describe_machine, read_state
from benchmarks.latency.opening import MACOS_ONLY, Opening, open_alone
from benchmarks.latency.preprocessing import PreprocessingTime, time_preprocessing
from benchmarks.latency.rounds import Timings, time_rounds
from benchmarks.latency.statistics import Ratio, Times, paired_ratio, summarize
from benchmarks.latency.targets import Verdict, judge
from distill.provenance import provenance
from runtimes.child_process import MEMORY_LIMIT
from runtimes.contract import Contract
from runtimes.errors import InputError

_PACKAGES = ("ai-edge-litert", "onnxruntime", "coremltools", "numpy", "pillow")


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    Attributes:
        runs: inferences of each file, at least.
        seconds: of rounds, at least, times the number of files.
        threads: of each runtime.
        base: name of the file that the others are compared with; None for the float32 file of
            their runtime (or its first, where none is listed).
        memory_limit: address space of each child process, in bytes.
    """

    runs: int
    seconds: float
    threads: int = 1
    base: str | None = None
    memory_limit: int = MEMORY_LIMIT


@dataclass(frozen=True)
class Row:
    """One file's figures; `fault` says why there are none."""

    file: TimedFile
    opening: Opening | None
    preprocessing: PreprocessingTime | None
    times: Times | None
    ratio: Ratio | None
    fault: str

    @property
    def broken(self) -> bool:
        """Whether there are no figures although the file should run on this system."""
        return bool(self.fault) and self.fault != MACOS_ONLY

    def to_json(self) -> dict[str, Any]:
        """Plain values, without paths."""
        file = {
            key: value for key, value in vars(self.file).items() if key not in ("path", "fault")
        }
        opening = None
        if self.opening is not None:
            opening = {
                key: value for key, value in asdict(self.opening).items() if key != "contract"
            }
        parts = (self.preprocessing, self.times, self.ratio)
        preprocessing, times, ratio = (None if part is None else asdict(part) for part in parts)
        return {
            **file,
            "opening": opening,
            "preprocessing_ms": preprocessing,
            "latency_ms": times,
            "ratio": ratio,
            "fault": self.fault or None,
        }


@dataclass(frozen=True)
class Latency:
    """The result of one run."""

    settings: Settings
    rows: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]
    timings: Timings
    machine: Machine
    before: State
    after: State

    @property
    def overhead_share(self) -> float | None:
        """The harness's own time in an inference, by the median of the fastest file."""
        fastest = min((row.times.p50 for row in self.rows if row.times), default=None)
        if fastest is None or self.timings.overhead_ms is None:
            return None
        return self.timings.overhead_ms / fastest

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "settings": {**asdict(self.settings), "warm_up_rounds": WARM_UP_ROUNDS, "batch": 1},
            "files": [row.to_json() for row in self.rows],
            "targets": [verdict.to_json() for verdict in self.verdicts],
            "harness": {
                "overhead_ms": self.timings.overhead_ms,
                "overhead_share": self.overhead_share,
                "between_share": self.timings.between,
                "rounds_seconds": self.timings.seconds,
            },
            "machine": self.machine.to_json(),
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "provenance": provenance(_PACKAGES),
        }


def measure_latency(files: Sequence[TimedFile], settings: Settings) -> Latency:
    """Opens each file alone, then times those that survive in interleaved rounds.

    Raises:
        InputError: `settings.base` is none of the files.
    """
    names = [file.name for file in files]
    if settings.base is not None and settings.base not in names:
        raise InputError(
            f"--base {settings.base} is none of the files; there are {', '.join(names)}."
        )
    before = read_state()
    opened = open_alone(files, settings.threads, settings.memory_limit)
    alone = {name: found for name, found in opened.items() if isinstance(found, Opening)}
    timings = time_rounds(
        [file for file in files if file.name in alone],
        {name: opening.first_ms for name, opening in alone.items()},
        runs=settings.runs,
        seconds=settings.seconds,
        threads=settings.threads,
        memory_limit=settings.memory_limit,
    )
    after = read_state()
    contracts = {name: opening.contract for name, opening in alone.items()}
    preprocessing = _preprocessing(contracts)
    faults = {name: found for name, found in opened.items() if isinstance(found, str)}
    faults |= timings.deaths
    milliseconds = timings.milliseconds
    bases = _bases(files, milliseconds, settings.base)
    rows = tuple(
        Row(
            file=file,
            opening=alone.get(file.name),
            preprocessing=preprocessing.get(file.name),
            times=summarize(milliseconds[file.name]) if file.name in milliseconds else None,
            ratio=_ratio(file.name, bases.get(file.runtime), milliseconds),
            fault=faults.get(file.name, ""),
        )
        for file in files
    )
    verdicts = judge(files, contracts, milliseconds, settings.threads)
    return Latency(settings, rows, verdicts, timings, describe_machine(), before, after)


def _preprocessing(contracts: dict[str, Contract | None]) -> dict[str, PreprocessingTime]:
    """Name to time; files with the same recipe share one measurement."""
    recipes = {name: found.preprocessing for name, found in contracts.items() if found is not None}
    timed = {recipe: time_preprocessing(recipe) for recipe in dict.fromkeys(recipes.values())}
    return {name: timed[recipe] for name, recipe in recipes.items()}


def _bases(
    files: Sequence[TimedFile], times: dict[str, np.ndarray], asked: str | None
) -> dict[str, str]:
    """Runtime to the name of the file that its files are compared with."""
    found: dict[str, str] = {}
    for file in sorted(files, key=lambda file: not file.format.endswith(":fp32")):
        if file.name in times:
            found.setdefault(file.runtime, file.name)
    if asked is None:
        return found
    return dict.fromkeys(found, asked) if asked in times else {}


def _ratio(name: str, base: str | None, times: dict[str, np.ndarray]) -> Ratio | None:
    if base is None or name == base or name not in times:
        return None
    return paired_ratio(times[name], times[base], base)
