"""The kinds of model file, told by suffix, and their bytes."""

from __future__ import annotations

from pathlib import Path

from runtimes.errors import InputError

SUFFIXES = (".tflite", ".onnx", ".mlpackage")


def kind_of(path: Path) -> str:
    """Returns ".tflite", ".onnx", ".mlpackage", or "run" for a folder with a student.

    Raises:
        InputError: missing, or of another kind.
    """
    if not path.exists():
        raise InputError(f"{path}: there is no such model. Check the path.")
    suffix = path.suffix.lower()
    if suffix in (".tflite", ".onnx") and path.is_file():
        return suffix
    if suffix == ".mlpackage" and path.is_dir():
        return suffix
    if suffix == ".mlpackage":
        raise InputError(
            f"{path}: an .mlpackage is a folder, and this is a file. "
            "If it was packed for transport, unpack it first."
        )
    if path.is_dir() and (path / "student.safetensors").is_file():
        return "run"
    if path.is_dir() and (inside := sorted(p.name for s in SUFFIXES for p in path.glob(f"*{s}"))):
        raise InputError(
            f"{path}: this is a folder. Name one of the models in it: {', '.join(inside)}."
        )
    raise InputError(
        f"{path}: this is not a model that can be opened. Expected a file ending in .tflite or "
        ".onnx, an .mlpackage folder, or a run folder with contract.json and student.safetensors."
    )


def read_model_file(path: Path) -> bytes:
    """Returns the content of a model file.

    Raises:
        InputError: empty or not readable.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: it cannot be read ({error.strerror or error}). Fetch it again or export it "
            "again."
        ) from error
    if not content:
        raise InputError(f"{path}: the file is empty. Fetch it again or export it again.")
    return content
