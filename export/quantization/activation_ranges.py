"""Ranges of the activations of a float .tflite on calibration images."""

from __future__ import annotations

from typing import Any

import numpy as np

from distill.models import PIXEL_OFFSET
from export.quantization.range_estimators import DEFAULT_ESTIMATOR, ESTIMATORS, usable_range
from export.tflite_names import INPUT_SCOPE, TRUNK_SCOPE, operations


def measure_ranges(
    content: bytes, images: np.ndarray, threads: int, estimator: str = DEFAULT_ESTIMATOR
) -> dict[str, Any]:
    """Returns the range of every activation, in ai-edge-quantizer's form.

    After the subtraction of the pixels' offset the range is that of all possible pixels, so that
    its scale is exactly 1.

    Args:
        content: a float model whose tensors have unique names.
        images: calibration images, uint8 (M, S, S, 3).
        threads: threads of the interpreter.
        estimator: see `range_estimators.ESTIMATORS`.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(
        model_content=content, num_threads=threads, experimental_preserve_all_tensors=True
    )
    interpreter.allocate_tensors()
    graph = [o for o in operations(content) if o.outputs[0].startswith((INPUT_SCOPE, TRUNK_SCOPE))]
    wanted = {name for operation in graph for name in operation.outputs}
    tensors = {t["index"]: t["name"] for t in interpreter.get_tensor_details()}
    seen = {index: ESTIMATORS[estimator]() for index, name in tensors.items() if name in wanted}
    (entrance,) = interpreter.get_input_details()
    for image in images:
        interpreter.set_tensor(entrance["index"], image[None].astype(np.float32))
        interpreter.invoke()
        for index, activation in seen.items():
            activation.see(interpreter.get_tensor(index))
    ranges = {
        tensors[index]: _range(*usable_range(activation, tensors[index]))
        for index, activation in seen.items()
    }
    for operation in graph:
        if operation.outputs[0].startswith(INPUT_SCOPE):
            ranges[operation.outputs[0]] = _range(-PIXEL_OFFSET, 255 - PIXEL_OFFSET)
        elif operation.kind == "PAD":  # adds zeros only: no other scale than its input's
            ranges[operation.outputs[0]] = ranges[operation.inputs[0]]
    return ranges


def _range(low: float, high: float) -> dict[str, np.ndarray]:
    return {"min": np.array([[[[low]]]], np.float32), "max": np.array([[[[high]]]], np.float32)}
