"""What other implementations answer to the golden images, beside the file's own runtime.

A file that its own runtime and another one read differently is wrong in one of them; on a phone a
third one decides. Each implementation runs in a process of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.artifacts import listed_files
from benchmarks.opinions.child import Answers, ask
from distill.provenance import provenance
from export.formats import FORMATS, Format
from export.golden import GOLDEN_FILE
from export.verify import Comparison, compare, outside
from runtimes.console import progress
from runtimes.contract import INPUT_NAME, OUTPUT_NAMES
from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.integrity import check_unchanged
from runtimes.metadata import read_contract
from runtimes.prediction import Prediction

_NAMES = {
    "litert reference": "LiteRT {} reference kernels",
    "onnx": "ONNX {} reference evaluator",
    "tensorflow reference": "TensorFlow {} reference kernels",
}
_FAMILIES = {"litert reference": "tflite", "onnx": "onnx", "tensorflow reference": "tflite"}


@dataclass(frozen=True)
class Opinion:
    """One file read by another implementation.

    Attributes:
        file: its name.
        format: its key in the table of formats.
        sha256: of its content.
        by: the implementation, with its version.
        comparison: of its answers with those of the file's own runtime; None if it has none.
        faults: why it has none, or what is outside of the format's tolerance.
    """

    file: str
    format: str
    sha256: str
    by: str
    comparison: Comparison | None
    faults: tuple[str, ...]


@dataclass(frozen=True)
class GpuOpinion:
    """What TensorFlow's analyzer says of a file on a phone's GPU.

    Attributes:
        file: its name.
        by: the version of TensorFlow.
        refused: its sentences about operators that the GPU delegate would not take.
        is_witness: whether it rejects a file that no GPU takes; later versions reject nothing.
    """

    file: str
    by: str
    refused: tuple[str, ...]
    is_witness: bool


@dataclass(frozen=True)
class Opinions:
    """All of a folder."""

    images: int
    answers: tuple[Opinion, ...]
    gpu: tuple[GpuOpinion, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values, without paths."""
        return {
            "images": self.images,
            "answers": [
                {
                    **vars(each),
                    "comparison": each.comparison.to_json() if each.comparison else None,
                }
                for each in self.answers
            ],
            "gpu": [vars(each) for each in self.gpu],
            "provenance": provenance(("ai-edge-litert", "onnx")),
        }


def ask_all(artifacts: Path, tensorflow: Path | None = None) -> Opinions:
    """Asks every other implementation that is at hand about the files of an export.

    Args:
        artifacts: folder of an export.
        tensorflow: the Python of an environment with TensorFlow.

    Raises:
        InputError: no export, a changed file, no golden images, or a Python without TensorFlow.
    """
    listed, _ = listed_files(artifacts)
    golden = read_golden(artifacts)
    images = golden[INPUT_NAME]
    threshold = read_contract(artifacts / next(iter(listed.values()))).calibration.unknown_threshold
    # TensorFlow's environment is a person's own: if it does not answer, that is known first.
    pythons = {} if tensorflow is None else {"tensorflow reference": tensorflow}
    pythons |= {"litert reference": Path(sys.executable), "onnx": Path(sys.executable)}
    answers: list[Opinion] = []
    gpu: list[GpuOpinion] = []
    with progress("second opinions", len(pythons)) as bar:
        for library, python in pythons.items():
            forms = [
                form for form in FORMATS if form.key in listed and form.family == _FAMILIES[library]
            ]
            paths = [artifacts / listed[form.key] for form in forms]
            for path in paths:
                check_unchanged(path)
            if forms:
                found = ask([str(python)], library, paths, images)
                by = _NAMES[library].format(found.version)
                for number, form in enumerate(forms):
                    own = _of(golden, form, artifacts)
                    answers.append(_opinion(paths[number], form, by, found, number, own, threshold))
                gpu += _gpu(paths, found)
            bar.advance(text=library)
    return Opinions(len(images), tuple(answers), tuple(gpu))


def read_golden(artifacts: Path) -> dict[str, np.ndarray]:
    """Returns the golden images and answers of an export, by name.

    Raises:
        InputError: they are missing, damaged, or not of this export.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = artifacts / GOLDEN_FILE
    check_unchanged(path)
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read ({error}). Export the run again.") from error
    if INPUT_NAME not in tensors:
        raise InputError(f"{path} has no '{INPUT_NAME}'. Export the run again.")
    return tensors


def _of(golden: dict[str, np.ndarray], form: Format, artifacts: Path) -> Prediction:
    names = [f"{form.key}/{name}" for name in OUTPUT_NAMES]
    missing = [name for name in names if name not in golden]
    if missing:
        raise InputError(f"{artifacts / GOLDEN_FILE} has no '{missing[0]}'. Export the run again.")
    return Prediction(*(golden[name] for name in names))


def _opinion(
    path: Path,
    form: Format,
    by: str,
    found: Answers,
    number: int,
    own: Prediction,
    threshold: float,
) -> Opinion:
    answer = found.answers[number]
    comparison: Comparison | None = None
    if isinstance(answer, str):
        faults = [answer]
    else:
        comparison = compare(own, Prediction(*(answer[name] for name in OUTPUT_NAMES)), threshold)
        faults = outside(comparison, form.tolerance)
    return Opinion(path.name, form.key, sha256_of(path), by, comparison, tuple(faults))


def _gpu(paths: Sequence[Path], found: Answers) -> list[GpuOpinion]:
    if found.rejects_control is None:
        return []
    by = f"TensorFlow {found.version}"
    return [
        GpuOpinion(path.name, by, tuple(refused), found.rejects_control)
        for path, refused in zip(paths, found.refused, strict=True)
    ]
