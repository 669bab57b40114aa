"""A text inside an .onnx file: one of the model's own properties."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runtimes.atomic import replacing_file
from runtimes.errors import InputError, MissingDependencyError
from runtimes.model_files import read_model_file


def read_onnx_text(path: Path, key: str) -> str | None:
    """Returns the property `key`, or None where the file has none.

    Raises:
        InputError: empty, truncated or not an .onnx.
        MissingDependencyError: the package onnx is not installed.
    """
    for entry in _load(path).metadata_props:
        if entry.key == key:
            return entry.value
    return None


def write_onnx_text(path: Path, key: str, text: str) -> None:
    """Sets the property `key` in one step; other properties stay.

    Raises:
        InputError: not an .onnx, or the file cannot be written.
        MissingDependencyError: the package onnx is not installed.
    """
    model = _load(path)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    del model.metadata_props[:]
    for name, value in (properties | {key: text}).items():
        model.metadata_props.add(key=name, value=value)
    with replacing_file(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))


def _load(path: Path) -> Any:
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise MissingDependencyError("onnx", "onnx") from error
    content = read_model_file(path)
    try:
        model = onnx.ModelProto.FromString(content)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{path}: this is not an ONNX model, or it is truncated ({error}). "
            "Fetch it again or export it again."
        ) from error
    if not model.graph.node or not model.opset_import:
        raise InputError(
            f"{path}: this is not an ONNX model (it holds no graph). "
            "Fetch it again or export it again."
        )
    return model
