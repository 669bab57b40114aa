"""The one table of formats: command line, README, tests and benchmarks are derived from it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

from runtimes.dependencies import STAGES
from runtimes.errors import InputError, MissingDependencyError


@dataclass(frozen=True)
class Tolerance:
    """How far a file may be from torch in float32 on the verification images.

    Attributes:
        probability: largest difference of any probability; None where it does not decide.
        mean_probability: mean absolute difference of the probabilities; None likewise.
        agreement: smallest share of images with the same first diagnosis.
        decisions: smallest share of images that are taken as known, or as unknown, by both.
        maps: largest root mean square difference of the class maps, and of the unknown scores, in
            units of the standard deviation of torch's own.
    """

    probability: float | None
    mean_probability: float | None
    agreement: float
    decisions: float
    maps: float


_EXACT = Tolerance(1e-4, None, agreement=0.97, decisions=0.97, maps=1e-3)
_HALF = Tolerance(5e-3, None, agreement=0.97, decisions=0.97, maps=3e-2)
_INT8 = Tolerance(None, 0.02, agreement=0.97, decisions=0.95, maps=0.35)
_OVERHEAD_BYTES = 500_000  # graph, contract, and scales of small networks


@dataclass(frozen=True)
class Format:
    """One kind of file that can be written.

    Attributes:
        family: "onnx", "coreml" or "tflite"; also the dependency group that writes and runs it.
        precision: what is stored and computed in.
        suffix: of the file name, with the dot; an .mlpackage is a folder.
        calibrated: whether training images are needed to write it; all that round do.
        runs_on: where it is meant to run, with the oldest system.
        note: what it is, in a few words.
        tolerance: the gate it must pass.
        weight_bytes: bytes that a weight takes in the file.
        core_ml_target: oldest system that an .mlpackage is written for, as coremltools calls it.
    """

    family: str
    precision: str
    suffix: str
    calibrated: bool
    runs_on: str
    note: str
    tolerance: Tolerance
    weight_bytes: int
    core_ml_target: str = ""

    @property
    def key(self) -> str:
        """What `--only` takes, for example "tflite:int8"."""
        return f"{self.family}:{self.precision}"

    @property
    def rounds_activations(self) -> bool:
        """Whether activations are int8, and not weights alone."""
        return self.precision in ("int8", "w8a8")

    @property
    def input_dtype(self) -> str:
        """Type of the pixels that a file takes: an image of Core ML has 8 bits a channel."""
        return "uint8" if self.family == "coreml" or self.key == "tflite:int8" else "float32"

    def file_name(self, name: str) -> str:
        """The file's name for a model called `name`."""
        return f"{name}-{self.precision}{self.suffix}"

    def largest_file(self, parameters: int, in_float: int = 0) -> int:
        """Bytes that a network of so many parameters may take: more, and it is not this format.

        `in_float` of them are in float32 whatever the format.
        """
        stored = self.weight_bytes * parameters + (4 - self.weight_bytes) * in_float
        return int(1.25 * stored) + _OVERHEAD_BYTES

    def require_packages(self) -> None:
        """Checks, without importing them, that converter and runtime are installed.

        Raises:
            MissingDependencyError: names the first package that is not there.
        """
        for module, package in STAGES[self.family]:
            if importlib.util.find_spec(module) is None:
                raise MissingDependencyError(package, self.family)


_ORT = "ONNX Runtime, also in browsers"
_IOS16, _IOS17 = "iOS 16, macOS 13", "iOS 17, macOS 14"
_LITERT = "Android, LiteRT, also in browsers"

FORMATS: tuple[Format, ...] = (
    Format("onnx", "fp32", ".onnx", False, _ORT, "the reference, dynamic batch", _EXACT, 4),
    Format("onnx", "fp16", ".onnx", True, _ORT, "half the size, float head", _HALF, 2),
    Format("onnx", "int8", ".onnx", True, _ORT, "static QDQ, per channel, float head", _INT8, 1),
    Format(
        *("coreml", "fp16", ".mlpackage", True, _IOS16, "ML program, image input", _HALF, 2),
        core_ml_target="iOS16",
    ),
    Format(
        *("coreml", "int8-weights", ".mlpackage", True, _IOS16, "int8 weights, fp16 math"),
        *(_INT8, 1),
        core_ml_target="iOS16",
    ),
    Format(
        *("coreml", "w8a8", ".mlpackage", True, _IOS17, "int8 weights and activations", _INT8, 1),
        core_ml_target="iOS17",
    ),
    Format("tflite", "fp32", ".tflite", False, _LITERT, "the reference, batch 1", _EXACT, 4),
    Format("tflite", "fp16", ".tflite", True, _LITERT, "half the size, for GPUs", _HALF, 2),
    Format("tflite", "int8", ".tflite", True, _LITERT, "uint8 pixels in, float head", _INT8, 1),
)


def select_formats(only: Sequence[str] | None) -> tuple[Format, ...]:
    """Returns the formats that `only` names by key or family, in the table's order; all for None.

    Raises:
        InputError: a name is not in the table.
    """
    if not only:
        return FORMATS
    families = dict.fromkeys(form.family for form in FORMATS)
    keys = [form.key for form in FORMATS]
    for name in only:
        if name not in keys and name not in families:
            raise InputError(
                f"unknown format '{name}'; possible: {', '.join(keys)}, "
                f"and whole families: {', '.join(families)}."
            )
    return tuple(form for form in FORMATS if form.key in only or form.family in only)


def markdown_table() -> str:
    """The table as it stands in the README."""
    lines = ["| file | format | runs on | what it is |", "|---|---|---|---|"]
    for form in FORMATS:
        cells = (f"`{form.file_name('NAME')}`", f"`{form.key}`", form.runs_on, form.note)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
