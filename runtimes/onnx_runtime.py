"""An .onnx file run by ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from runtimes.contract import INPUT_NAME, OUTPUT_NAMES, Contract
from runtimes.errors import InputError, MissingDependencyError
from runtimes.prediction import (
    Prediction,
    check_names,
    check_shapes,
    checked_images,
    chunks,
    foreign_prediction,
    joined,
    named_prediction,
)
from runtimes.probe import check_survives, refusals

# On x86 processors without VNNI, ONNX Runtime's int8 kernels add pairs of products in 16 bits and
# overflow, unless this is set; other processors do not look at it.
NO_OVERFLOW = ("session.x64quantprecision", "1")
_BATCH = 32
_TRIAL = f"""
import sys
import numpy as np
import onnxruntime
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
options.intra_op_num_threads = options.inter_op_num_threads = 1
options.add_session_config_entry{NO_OVERFLOW}
content = sys.stdin.buffer.read()
session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
feed = {{}}
for tensor in session.get_inputs():
    shape = [side if isinstance(side, int) and side > 0 else 1 for side in tensor.shape]
    kind = np.uint8 if tensor.type == "tensor(uint8)" else np.float32
    feed[tensor.name] = np.zeros(shape, kind)
session.run(None, feed)
"""


class OnnxSession:
    """Runs an .onnx with ONNX Runtime's CPU provider, up to 32 images at a time."""

    def __init__(self, path: Path, content: bytes, contract: Contract | None, threads: int) -> None:
        """Opens the file.

        Raises:
            InputError: damaged, or its tensors are not those of its contract.
            MissingDependencyError: ONNX Runtime is not installed.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingDependencyError("onnxruntime", "onnx") from error
        check_survives(path, content, _TRIAL, "ONNX Runtime")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors; its warnings are about graph rewrites
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry(*NO_OVERFLOW)
        self.contract = contract
        self._path = path
        with refusals(path, "ONNX Runtime"):
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
            self._input, self._size = _image_input(path, self._session.get_inputs())
            outputs = {output.name: output.shape for output in self._session.get_outputs()}
            self._outputs = list(outputs)
            if contract is not None:
                check_names(path, "inputs", [self._input.name], (INPUT_NAME,))
                check_names(path, "outputs", self._outputs, OUTPUT_NAMES)
                classes = outputs["probabilities"][-1]
                # a graph may leave the size of an output open
                known = classes if isinstance(classes, int) else len(contract.labels)
                check_shapes(path, contract, self._size, known)
            provider = self._session.get_providers()[0]
        self.backend = (
            f"ONNX Runtime {onnxruntime.__version__} {provider} "
            f"{threads} thread{'s' if threads > 1 else ''}"
        )

    def predict(self, images: np.ndarray) -> Prediction:
        """Answers for (N, S, S, 3) RGB pixels from 0 to 255, uint8 or float32."""
        pixels = checked_images(images, self._size)
        step = 1 if self._input.shape[0] == 1 else _BATCH
        with refusals(self._path, "ONNX Runtime"):
            return joined([self._run(part) for part in chunks(pixels, step)])

    def _run(self, pixels: np.ndarray) -> Prediction:
        feed = pixels.astype(np.uint8) if self._input.type == "tensor(uint8)" else pixels
        arrays = self._session.run(self._outputs, {self._input.name: feed})
        if self.contract is not None:
            return named_prediction(dict(zip(self._outputs, arrays, strict=True)))
        return foreign_prediction(arrays[0].reshape(len(pixels), -1))


def _image_input(path: Path, inputs: list[Any]) -> tuple[Any, tuple[int, int]]:
    shape = inputs[0].shape if len(inputs) == 1 else []
    fits = len(shape) == 4 and shape[3] == 3 and all(isinstance(s, int) for s in shape[1:])
    fits = fits and (shape[0] == 1 or not isinstance(shape[0], int))
    if not fits or inputs[0].type not in ("tensor(float)", "tensor(uint8)"):
        found = "; ".join(f"{i.name} {i.shape} {i.type}" for i in inputs)
        raise InputError(
            f"{path}: its inputs are {found or '(none)'}; expected one image, [N, H, W, 3], float "
            "or uint8. This is not an image classifier that can be run here."
        )
    return inputs[0], (shape[1], shape[2])
