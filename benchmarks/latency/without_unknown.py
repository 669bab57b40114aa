"""The same model files without their unknown score, to time what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.latency.files import LITERT, ONNX, TimedFile
from runtimes.contract import INPUT_NAME, OUTPUT_NAMES
from runtimes.errors import InputError

_UNKNOWN = "unknown"
_LEFT = tuple(name for name in OUTPUT_NAMES if name != _UNKNOWN)


def write_without_unknown(file: TimedFile, folder: Path) -> Path:
    """Writes a copy of an exported file that computes everything but `unknown`; returns its path.

    Only operators are left out that nothing else needs, so the copy's other answers are the same to
    the last bit. It has no contract, for it is none of the project's files.

    Args:
        file: a .tflite or .onnx of this project.
        folder: for the copy.

    Raises:
        InputError: another kind of file, a damaged one, or one without that output.
    """
    writers = {LITERT: _tflite, ONNX: _onnx}
    if file.runtime not in writers:
        raise InputError(f"{file.path}: {file.runtime} files cannot be cut; name others by --only.")
    path = folder / f"{file.path.stem}-without-unknown{file.path.suffix}"
    try:
        content = writers[file.runtime](file.path)
    except InputError:
        raise
    except Exception as error:  # whatever the parsers of two formats make of a damaged file
        raise InputError(
            f"{file.path}: it cannot be read as a model ({type(error).__name__}: "
            f"{str(error)[:200]}). Export it again."
        ) from error
    path.write_bytes(content)
    return path


def _tflite(path: Path) -> bytes:
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(path.read_bytes()))
    graph = model.subgraphs[0]
    signatures = model.signatureDefs or []
    _check(path, [each.name.decode() for signature in signatures for each in signature.outputs])
    (signature,) = signatures
    signature.outputs = [each for each in signature.outputs if each.name.decode() != _UNKNOWN]
    graph.outputs = [int(each.tensorIndex) for each in signature.outputs]
    graph.operators = _needed(graph.operators, graph.outputs)
    model.metadata = None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _needed(operators: Sequence[Any], outputs: Sequence[int]) -> list[Any]:
    """Those of the operators, in their order, that the outputs are computed from."""
    wanted, kept = set(outputs), []
    for operator in reversed(operators):
        if wanted & {int(index) for index in operator.outputs}:
            wanted |= {int(index) for index in operator.inputs}
            kept.append(operator)
    return kept[::-1]


def _onnx(path: Path) -> bytes:
    import onnx
    from onnx.utils import Extractor

    model = onnx.load_model(str(path))
    _check(path, [each.name for each in model.graph.output])
    cut = Extractor(model).extract_model([INPUT_NAME], list(_LEFT))
    content: bytes = cut.SerializeToString()
    return content


def _check(path: Path, outputs: Sequence[str]) -> None:
    if sorted(outputs) != sorted(OUTPUT_NAMES):
        raise InputError(
            f"{path}: its outputs are {', '.join(outputs) or 'nameless'}, expected "
            f"{', '.join(OUTPUT_NAMES)}. Name a file that `python -m export run` wrote."
        )
