"""The contract inside a model file: read it, or put it there."""

from __future__ import annotations

from pathlib import Path

from runtimes.contract import Contract
from runtimes.coreml_metadata import read_coreml_text, write_coreml_text
from runtimes.errors import InputError
from runtimes.model_files import kind_of, read_model_file
from runtimes.onnx_metadata import read_onnx_text, write_onnx_text
from runtimes.tflite_metadata import read_tflite_text, write_tflite_text

# An .onnx and an .mlpackage keep it under TEXT_KEY, a .tflite (whose entries are in capitals by
# custom) under TFLITE_KEY, a run folder in CONTRACT_FILE.
TEXT_KEY = "dermport_contract"
TFLITE_KEY = "DERMPORT_CONTRACT"
CONTRACT_FILE = "contract.json"


def read_contract(path: Path | str) -> Contract:
    """Returns the contract of a .tflite, .onnx, .mlpackage or run folder.

    Raises:
        InputError: missing, damaged, of another kind, or without a (valid) contract.
    """
    contract = find_contract(path)
    if contract is None:
        raise InputError(
            f"{path}: there is no contract in this file, so its labels, preprocessing and "
            "calibration are unknown. Export the model with `python -m export run`, "
            "which puts one into every file."
        )
    return contract


def find_contract(path: Path | str) -> Contract | None:
    """Returns the contract of a model as `read_contract` does, or None where it has none.

    Raises:
        InputError: missing, damaged, of another kind, or with an invalid contract.
    """
    path = Path(path)
    kind = kind_of(path)
    if kind == ".tflite":
        text = read_tflite_text(path, TFLITE_KEY)
    elif kind == ".onnx":
        text = read_onnx_text(path, TEXT_KEY)
    elif kind == ".mlpackage":
        text = read_coreml_text(path, TEXT_KEY)
    else:
        text = _read_text(path / CONTRACT_FILE)
    return None if text is None else Contract.from_json(text, str(path))


def embed_contract(path: Path | str, contract: Contract) -> None:
    """Puts the contract into a .tflite, .onnx or .mlpackage, in place of one that is there.

    Raises:
        InputError: missing, damaged, of another kind, or not writable.
    """
    path = Path(path)
    kind, text = kind_of(path), contract.to_json()
    if kind == ".tflite":
        write_tflite_text(path, TFLITE_KEY, text)
    elif kind == ".onnx":
        write_onnx_text(path, TEXT_KEY, text)
    elif kind == ".mlpackage":
        write_coreml_text(path, TEXT_KEY, text)
    else:
        raise InputError(
            f"{path}: this is a run folder, which keeps its contract in {CONTRACT_FILE}. "
            "Name a .tflite, .onnx or .mlpackage."
        )


def _read_text(path: Path) -> str:
    try:
        return read_model_file(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: this is not UTF-8 text ({error}). Export again.") from error
