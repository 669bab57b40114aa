"""A .tflite file run by LiteRT, the interpreter that phones have."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np

from runtimes.contract import INPUT_NAME, OUTPUT_NAMES, Contract
from runtimes.errors import InputError, MissingDependencyError
from runtimes.native_stderr import without_remarks
from runtimes.prediction import (
    Prediction,
    check_names,
    check_shapes,
    checked_images,
    foreign_prediction,
    joined,
    named_prediction,
)
from runtimes.probe import check_survives, refusals

_TRIAL = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_content=sys.stdin.buffer.read(), num_threads=1)
interpreter.allocate_tensors()
for tensor in interpreter.get_input_details():
    interpreter.set_tensor(tensor["index"], np.zeros(tensor["shape"], tensor["dtype"]))
interpreter.invoke()
for tensor in interpreter.get_output_details():
    interpreter.get_tensor(tensor["index"])
"""


class LiteRTSession:
    """Runs a .tflite with batch 1, image after image; calls from several threads take turns."""

    def __init__(self, path: Path, content: bytes, contract: Contract | None, threads: int) -> None:
        """Opens the file.

        Raises:
            InputError: damaged, or its tensors are not those of its contract.
            MissingDependencyError: LiteRT is not installed.
        """
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise MissingDependencyError("ai-edge-litert", "tflite") from error
        check_survives(path, content, _TRIAL, "LiteRT")
        self.contract = contract
        self._path = path
        self._lock = threading.Lock()
        with refusals(path, "LiteRT"):
            with without_remarks("INFO: Created TensorFlow Lite XNNPACK delegate"):
                self._interpreter = Interpreter(model_content=content, num_threads=threads)
                self._interpreter.allocate_tensors()
            self._input = _image_input(path, self._interpreter.get_input_details())
            self._outputs = _by_name(self._interpreter)
            self._size = (int(self._input["shape"][1]), int(self._input["shape"][2]))
            if contract is not None:
                check_names(path, "inputs", list(_input_names(self._interpreter)), (INPUT_NAME,))
                check_names(path, "outputs", list(self._outputs), OUTPUT_NAMES)
                classes = int(self._outputs["probabilities"]["shape"][-1])
                check_shapes(path, contract, self._size, classes)
            self.backend = _what_runs(self._interpreter, threads)

    def predict(self, images: np.ndarray) -> Prediction:
        """Answers for (N, S, S, 3) RGB pixels from 0 to 255, uint8 or float32."""
        pixels = checked_images(images, self._size)
        with self._lock, refusals(self._path, "LiteRT"):
            return joined([self._run(pixels[i : i + 1]) for i in range(len(pixels))])

    def _run(self, pixels: np.ndarray) -> Prediction:
        self._interpreter.set_tensor(self._input["index"], _as_input(pixels, self._input))
        self._interpreter.invoke()
        found = {
            name: _dequantized(self._interpreter.get_tensor(tensor["index"]), tensor)
            for name, tensor in self._outputs.items()
        }
        if self.contract is not None:
            return named_prediction(found)
        return foreign_prediction(next(iter(found.values())).reshape(1, -1))


def _image_input(path: Path, details: list[dict[str, Any]]) -> dict[str, Any]:
    shape = [int(side) for side in details[0]["shape"]] if len(details) == 1 else []
    kind = details[0]["dtype"] if details else None
    if len(shape) != 4 or shape[0] != 1 or shape[3] != 3 or kind not in _INPUT_TYPES:
        found = "; ".join(f"{d['shape'].tolist()} {d['dtype'].__name__}" for d in details)
        raise InputError(
            f"{path}: its inputs are {found or '(none)'}; expected one image, [1, H, W, 3], "
            "float32, uint8 or int8. This is not an image classifier that can be run here."
        )
    return details[0]


_INPUT_TYPES = (np.float32, np.uint8, np.int8)


def _as_input(pixels: np.ndarray, tensor: dict[str, Any]) -> np.ndarray:
    # A foreign model's integers stand for its own normalised values; uint8 are the pixels
    # themselves and int8 the pixels minus 128 in every converter's output.
    if tensor["dtype"] == np.float32:
        return pixels
    offset = 0 if tensor["dtype"] == np.uint8 else 128
    return (np.rint(pixels) - offset).astype(tensor["dtype"])


def _dequantized(values: np.ndarray, tensor: dict[str, Any]) -> np.ndarray:
    if values.dtype == np.float32:
        return values
    scale, zero_point = tensor["quantization"]
    return (values.astype(np.float32) - zero_point) * (scale or 1.0)


def _by_name(interpreter: Any) -> dict[str, dict[str, Any]]:
    """Names the outputs as the signature does, else as the tensors are called."""
    details = interpreter.get_output_details()
    signatures = interpreter.get_signature_list()
    if len(signatures) != 1:
        return {tensor["name"]: tensor for tensor in details}
    runner = interpreter.get_signature_runner(next(iter(signatures)))
    return dict(runner.get_output_details())


def _input_names(interpreter: Any) -> list[str]:
    signatures = interpreter.get_signature_list()
    if len(signatures) != 1:
        return [tensor["name"] for tensor in interpreter.get_input_details()]
    return list(next(iter(signatures.values()))["inputs"])


def _what_runs(interpreter: Any, threads: int) -> str:
    from importlib.metadata import version

    # No public call tells whether a delegate took the graph; its node is in the list of operators.
    operators = [op["op_name"] for op in interpreter._get_ops_details()]
    partitions = operators.count("DELEGATE")
    kernels = "reference kernels"
    if partitions:
        kernels = f"XNNPACK {partitions} partition{'s' if partitions > 1 else ''}"
    return (
        f"LiteRT {version('ai-edge-litert')} {kernels} {threads} thread{'s' if threads > 1 else ''}"
    )
