"""TensorFlow Lite's `benchmark_model` as a runner: its options, its output, what cannot be true.

Source: tensorflow/lite/tools/benchmark (benchmark_model.cc, benchmark_tflite_model.cc) and
tensorflow/core/util/stats_calculator.h. Times are microseconds.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.phone.facts import NOT_TOLD, Facts
from benchmarks.phone.printable import last_words, printable
from benchmarks.phone.records import Ask, Figures, Ran
from benchmarks.phone.runner import Amount, Nonsense, Told
from runtimes.errors import InputError
from runtimes.hashes import sha256_of

_NUMBER = r"(\S{1,40})"
_SUMMARY = re.compile(
    rf"Inference timings in us: Init: {_NUMBER}, First inference: {_NUMBER}, "
    rf"Warmup \(avg\): {_NUMBER}, Inference \(avg\): {_NUMBER}\s*$",
    re.MULTILINE,
)
# One value alone is printed as "count=1 curr=5", equal ones as "count=9 curr=5(all same)".
_COUNT = re.compile(r"^(?:INFO: )?(count=\d.{0,500})$", re.MULTILINE)
_FIELD = re.compile(r"(\w+)=([^\s(]{1,40})")
_PEAK = re.compile(
    rf"Overall peak memory footprint \(MB\)[^:\n]{{0,80}}: {_NUMBER}\s*$", re.MULTILINE
)
_APPLIED = re.compile(
    r"Explicitly applied (\w{1,40}) delegate, and the model graph will be (completely|partially)"
)
_REFUSED = re.compile(
    r"Though (\w{1,40}) delegate is explicitly applied, the model graph will not be"
)
_REPLACED = re.compile(
    r"Replacing (\d{1,9}) out of (\d{1,9}) node\(s\) with delegate \((\w{1,60})\) node, "
    r"yielding (\d{1,9}) partitions"
)
_NO_GPU = "GPU acceleration is unsupported on this platform"
_DEFAULT_XNNPACK = "Created TensorFlow Lite XNNPACK delegate for CPU"
_IGNORED = re.compile(r"Unconsumed cmdline flags: (.{1,300})$", re.MULTILINE)
_DELEGATES: dict[str, dict[str, str]] = {
    "cpu": {"use_xnnpack": "false"},
    "xnnpack": {"use_xnnpack": "true"},
    "gpu": {"use_gpu": "true"},
}
_MIB = 1024 * 1024 / 1e6
_MOST_RUNS = 100_000_000
_MOST_MEMORY = 1e6
_ROUNDING = 1e-4  # it prints six digits
_START = 1.0  # seconds by which two clocks may differ over a run
_BASE_OPTIONS = ("--report_peak_memory_footprint=true",)
# e_machine of an ELF file, and the ABIs of Android that run it.
_MACHINES = {
    183: ("arm64-v8a",),
    40: ("armeabi-v7a", "armeabi", "arm64-v8a"),
    62: ("x86_64",),
    3: ("x86", "x86_64"),
}


@dataclass(frozen=True)
class BenchmarkModel:
    """A `benchmark_model` binary that the user has built or fetched.

    Attributes:
        program: its path here.
        sha256: of its content.
    """

    program: Path
    sha256: str

    @classmethod
    def at(cls, program: Path) -> BenchmarkModel:
        """Takes the binary at a path.

        Raises:
            InputError: no file lies there.
        """
        if not program.is_file():
            raise InputError(
                f"--runner {program}: there is no such file. Name TensorFlow Lite's "
                "benchmark_model, built for Android (docs/phone.md says where to get it)."
            )
        return cls(program, sha256_of(program))

    def describe(self) -> dict[str, Any]:
        """Its kind and hash."""
        return {"name": "benchmark_model", "sha256": self.sha256}

    def check(self, facts: Facts) -> None:
        """Compares the machine that it was built for with the phone's.

        Raises:
            InputError: it was built for another one.
        """
        with self.program.open("rb") as stream:
            head = stream.read(20)
        if head[:4] != b"\x7fELF" or len(head) < 20:
            return  # a script: the phone's own shell judges it
        (machine,) = struct.unpack("<H", head[18:20])
        abis = _MACHINES.get(machine, ())
        if facts.abi.startswith(("arm", "x86")) and facts.abi not in abis:
            raise InputError(
                f"{self.program}: it was built for {abis[0] if abis else f'machine {machine}'}, "
                f"and the phone runs {facts.abi}. Name a benchmark_model for that."
            )

    def words(self, program: str, model: str, ask: Ask, amount: Amount) -> list[str]:
        """The command line; XNNPACK comes by default, also for what a GPU leaves, as in an app."""
        options = {
            "graph": model,
            "num_threads": ask.threads,
            "num_runs": amount.runs,
            "min_secs": f"{amount.seconds:g}",
            # Warm-up and measurement have this limit each.
            "max_secs": f"{max(amount.seconds, 0.4 * amount.limit):g}",
        }
        options |= _DELEGATES[ask.delegate]
        return [program, *(f"--{name}={value}" for name, value in options.items()), *_BASE_OPTIONS]

    def read(self, text: str, ask: Ask, amount: Amount, seconds: float) -> Told:
        """Reads the summary, the statistics of the measured runs, and what was applied."""
        summaries = _SUMMARY.findall(text)
        counts = _COUNT.findall(text)
        if len(summaries) != 1 or len(counts) != 2:
            what = "printed no result" if not summaries else "printed more than one result"
            raise Nonsense(f"it {what}; its last words: {last_words(text) or 'none'}")
        load, first, warm, mean = (
            _micro(value, name)
            for value, name in zip(
                summaries[0], ("Init", "First inference", "Warmup", "Inference"), strict=True
            )
        )
        figures = _figures(counts[1], load, first, mean, _peak(text))
        warm_runs, _ = _count(counts[0])
        total = load + warm_runs * warm + figures.runs * mean
        if total > seconds + _START + 0.05 * seconds:
            raise Nonsense(
                f"its times add up to {total:.1f} s, but it was over after {seconds:.1f} s"
            )
        return Told(_ran(text, ask), figures, _notes(text, figures, amount))


def _figures(line: str, load: float, first: float, mean: float, peak: float | None) -> Figures:
    """All in seconds; Figures are milliseconds."""
    runs, fields = _count(line)
    if "curr" not in fields:
        raise Nonsense(f"its statistics are no numbers: {printable(line, 120)}")
    alone = "min" not in fields
    newest = _micro(fields["curr"], "curr")
    names = ("min", "max", "avg")
    least, most, average = (
        newest if alone else _micro(fields.get(name, ""), name) for name in names
    )
    deviation = 0.0 if alone else _micro(fields.get("std", ""), "std", zero=True)
    p50, p95 = (_micro(fields[k], k) if k in fields else None for k in ("median", "p95"))
    ordered = [least, *(value for value in (p50, p95) if value is not None), most]
    if ordered != sorted(ordered) or not _within(average, least, most):
        raise Nonsense(f"its statistics contradict each other: {printable(line, 120)}")
    if not _within(mean, average, average) or deviation > most - least + 1e-6:
        raise Nonsense(f"its mean or deviation contradicts its statistics: {printable(line, 120)}")
    milli = [None if value is None else 1e3 * value for value in (p50, p95)]
    return Figures(
        runs=runs,
        load=1e3 * load,
        first=1e3 * first,
        mean=1e3 * mean,
        deviation=1e3 * deviation,
        least=1e3 * least,
        most=1e3 * most,
        p50=milli[0],
        p95=milli[1],
        peak_mb=peak,
    )


def _count(line: str) -> tuple[int, dict[str, str]]:
    fields = dict(_FIELD.findall(line))
    digits = fields.get("count", "")
    if not digits.isdecimal() or not 1 <= int(digits) <= _MOST_RUNS:
        raise Nonsense(f"its number of runs cannot be: {printable(line, 120)}")
    return int(digits), fields


def _micro(text: str, name: str, *, zero: bool = False) -> float:
    """Returns microseconds as seconds."""
    value = _number(text)
    if not (0 < value < 1e10 or (zero and value == 0)):
        raise Nonsense(f"its time {name} cannot be: {text[:40]!a} µs")
    return value / 1e6


def _number(text: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?(e[+-]?\d{1,3})?", text):
        return math.nan
    return float(text)


def _within(value: float, least: float, most: float) -> bool:
    return least * (1 - _ROUNDING) <= value <= most * (1 + _ROUNDING)


def _peak(text: str) -> float | None:
    """Peak memory in MB of 1e6 bytes; the runner's MB are 1024² bytes."""
    match = _PEAK.search(text)
    if match is None:
        return None
    value = _number(match[1])
    if not 0 < value < _MOST_MEMORY:
        raise Nonsense(f"its peak memory cannot be: {match[1][:40]!a} MB")
    return value * _MIB


def _ran(text: str, ask: Ask) -> Ran:
    """What the runner says it applied; its silence is an answer only where nothing was asked."""
    if applied := _APPLIED.search(text):
        return Ran(applied[1].lower(), _coverage(applied[2] == "completely"))
    # The runtime's own line. XNNPACK, which takes what a GPU left, has the last one.
    if replaced := _REPLACED.search(text):
        taken, of, name, parts = replaced.groups()
        return Ran(_short(name), _coverage(taken == of and parts == "1"))
    if _DEFAULT_XNNPACK in text:
        return Ran("xnnpack", NOT_TOLD)
    none = ask.delegate == "cpu" or _REFUSED.search(text) or _NO_GPU in text
    return Ran("cpu" if none else NOT_TOLD, NOT_TOLD)


def _coverage(whole: bool) -> str:
    return "whole graph" if whole else "part of the graph"


def _short(name: str) -> str:
    """Such as gpu for "TfLiteGpuDelegateV2"; a name of no known kind stays as it is."""
    kinds = ("xnnpack", "gpu")
    return next((kind for kind in kinds if kind in name.lower()), name)


def _notes(text: str, figures: Figures, amount: Amount) -> tuple[str, ...]:
    notes = []
    if figures.runs < amount.runs:
        notes.append(f"{figures.runs} of {amount.runs} runs within its time")
    if refused := _REFUSED.search(text):
        notes.append(f"the {refused[1]} delegate took no part of the graph")
    if ignored := _IGNORED.search(text):
        notes.append(f"this runner does not know {printable(ignored[1])}")
    return tuple(notes)
