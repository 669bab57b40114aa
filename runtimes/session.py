"""Open any model file; the suffix decides which runtime runs it."""

from __future__ import annotations

import sys
from pathlib import Path

from runtimes.arguments import MOST_THREADS
from runtimes.errors import InputError
from runtimes.integrity import check_unchanged
from runtimes.metadata import find_contract, read_contract
from runtimes.model_files import kind_of, read_model_file
from runtimes.prediction import Session


def open_model(path: Path | str, threads: int = 1, *, require_contract: bool = True) -> Session:
    """Opens a .tflite with LiteRT, an .onnx with ONNX Runtime, an .mlpackage with Core ML.

    Off macOS the program of an .mlpackage is carried out in torch instead. The file is tried out in
    a process of its own first where a C++ runtime reads it, so a damaged file is an error and not
    a crash. `Session.backend` says what really runs.

    Args:
        path: the model file.
        threads: number of CPU threads; Core ML decides by itself.
        require_contract: False also opens foreign image classifiers, whose answers are
            probabilities only.

    Raises:
        InputError: missing, empty, truncated, damaged, changed since its export, of another kind,
            without a contract, or with a contract of another network.
        MissingDependencyError: the runtime's package is not installed.
    """
    path = Path(path)
    if not 1 <= threads <= MOST_THREADS:
        raise InputError(f"the number of threads is {threads}; expected 1 to {MOST_THREADS}.")
    kind = kind_of(path)
    if kind == "run":
        raise InputError(
            f"{path}: this is a run folder, not a model file. Export it first with "
            f"`python -m export run {path}`, or name a .tflite, .onnx or .mlpackage."
        )
    check_unchanged(path)
    contract = read_contract(path) if require_contract else find_contract(path)
    if kind == ".tflite":
        from runtimes.litert_runtime import LiteRTSession

        return LiteRTSession(path, read_model_file(path), contract, threads)
    if kind == ".onnx":
        from runtimes.onnx_runtime import OnnxSession

        return OnnxSession(path, read_model_file(path), contract, threads)
    if sys.platform == "darwin" and contract is not None:
        from runtimes.coreml_runtime import CoreMLSession

        return CoreMLSession(path, contract)
    from runtimes.mil_runtime import MilSession

    return MilSession(path, contract, threads)
