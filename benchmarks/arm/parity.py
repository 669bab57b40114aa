"""The files answered by ARM kernels under emulation, beside the same runtimes on x86."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.arm.first_difference import LIBRARY, Difference, first_difference
from benchmarks.arm.machine import ArmMachine
from benchmarks.artifacts import listed_files
from benchmarks.opinions.ask import read_golden
from benchmarks.opinions.child import ask
from distill.provenance import provenance
from export.formats import FORMATS, Format
from runtimes.console import progress
from runtimes.contract import INPUT_NAME
from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.integrity import check_unchanged

_LIBRARIES = {"tflite": "litert", "onnx": LIBRARY}
_NAMES = {"tflite": "LiteRT {}", "onnx": "ONNX Runtime {}"}


@dataclass(frozen=True)
class Limit:
    """What a precision may differ by.

    Attributes:
        probability: largest difference of a probability.
        maps: largest difference of a class map, in standard deviations of the maps; None where it
            does not decide.
    """

    probability: float
    maps: float | None = None


# float16 is computed as float32 on x86, and as what it is by processors that can. An int8 trunk is
# the same bit for bit; its head sums in float32, whose order differs. A single value of the trunk
# that is one int8 step away would move the maps a thousand times as far as that.
_LIMITS = {"fp32": Limit(1e-5), "fp16": Limit(2e-2), "int8": Limit(1e-6, 1e-5)}


@dataclass(frozen=True)
class ArmRow:
    """One file on one processor.

    Attributes:
        file: its name.
        format: its key in the table of formats.
        sha256: of its content.
        cpu: the emulated processor.
        by: the runtime with its version.
        probability: largest difference of a probability from x86's; None without an answer.
        maps: largest difference of a class map, in standard deviations of x86's; None likewise.
        limit: of both.
        fault: why there is no answer, or ""; an answer outside its limit is told by `passed`.
        first: of an int8 .onnx outside its limit, where it differs first; None if that was not
            looked for, or if looking in changes the answers.
    """

    file: str
    format: str
    sha256: str
    cpu: str
    by: str
    probability: float | None
    maps: float | None
    limit: Limit
    fault: str
    first: Difference | None = None

    @property
    def passed(self) -> bool:
        """Whether the answers are within the limit."""
        if self.probability is None or self.maps is None:
            return False
        fits = self.limit.maps is None or self.maps <= self.limit.maps
        return fits and self.probability <= self.limit.probability

    @property
    def is_opened(self) -> bool:
        """Whether its int8 tensors are looked at: of a .tflite, only other kernels show them."""
        return self.format == "onnx:int8" and not (self.passed or self.fault)

    def __str__(self) -> str:
        if self.fault:
            return f"{self.file} on {self.cpu}: {self.fault}"
        allowed = "" if self.limit.maps is None else f" and {self.limit.maps:g}"
        return (
            f"{self.file} on {self.cpu}: a probability differs by {self.probability:.1e} from "
            f"x86's and a class map by {self.maps:.1e}, allowed {self.limit.probability:g}{allowed}"
            f"{self._where()}"
        )

    def _where(self) -> str:
        if self.first is not None:
            return f"; it differs {self.first}"
        if self.is_opened:
            return "; in which operator cannot be told, a copy that shows them answers otherwise"
        return ""


def compare_arm(
    artifacts: Path, machine: ArmMachine, cpus: Sequence[str], images: int
) -> tuple[ArmRow, ...]:
    """Answers the first golden images on every processor.

    Args:
        artifacts: folder of an export.
        machine: the emulated one.
        cpus: as QEMU calls them.
        images: how many of the golden images.

    Raises:
        InputError: no export, a changed file, fewer golden images, or an emulator that does not
            run.
    """
    listed, _ = listed_files(artifacts)
    pixels = read_golden(artifacts)[INPUT_NAME]
    if images > len(pixels):
        raise InputError(
            f"--images is {images}, but {artifacts} has {len(pixels)} golden images; ask for at "
            "most so many."
        )
    pixels = pixels[:images]
    rows: list[ArmRow] = []
    with progress("emulated", len(_LIBRARIES) * len(cpus)) as bar:
        for family, library in _LIBRARIES.items():
            forms = [form for form in FORMATS if form.key in listed and form.family == family]
            paths = [artifacts / listed[form.key] for form in forms]
            for path in paths:
                check_unchanged(path)
            here = ask([sys.executable], library, paths, pixels).answers if forms else ()
            for cpu in cpus:
                if forms:
                    found = ask(machine.python(cpu), library, paths, pixels, machine.environment())
                    by = _NAMES[family].format(found.version)
                    compared = [
                        _row(*each, cpu, by)
                        for each in zip(paths, forms, here, found.answers, strict=True)
                    ]
                    for path, row in zip(paths, compared, strict=True):
                        if row.is_opened:
                            first = first_difference(path, machine, cpu, pixels)
                            row = replace(row, first=first)
                        rows.append(row)
                bar.advance(text=f"{library} on {cpu}")
    return tuple(rows)


def _row(
    path: Path,
    form: Format,
    here: dict[str, np.ndarray] | str,
    there: dict[str, np.ndarray] | str,
    cpu: str,
    by: str,
) -> ArmRow:
    fault = next((each for each in (here, there) if isinstance(each, str)), "")
    probability = maps = None
    if not isinstance(here, str) and not isinstance(there, str):
        probability = _largest(there["probabilities"] - here["probabilities"])
        maps = _largest((there["cam"] - here["cam"]) / (here["cam"].std() or 1.0))
    limit, digest = _LIMITS[form.precision], sha256_of(path)
    return ArmRow(path.name, form.key, digest, cpu, by, probability, maps, limit, fault)


def _largest(difference: np.ndarray) -> float:
    found = float(np.abs(difference).max())
    return found if np.isfinite(found) else float("inf")


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def to_json(rows: Sequence[ArmRow], images: int) -> dict[str, Any]:
    """Plain values, without paths; an infinite one, which JSON has no word for, as None."""
    return {
        "images": images,
        "rows": [
            {
                **asdict(row),
                "probability": _finite(row.probability),
                "maps": _finite(row.maps),
                "passed": row.passed,
            }
            for row in rows
        ],
        "provenance": provenance(("ai-edge-litert", "onnxruntime")),
    }
