"""Ranges of the activations of a float .tflite on calibration images."""

from __future__ import annotations

from typing import Any

import numpy as np

from distill.models import PIXEL_OFFSET
from export.tflite_names import INPUT_SCOPE, TRUNK_SCOPE, operations

GROUP = 8  # images whose extremes are taken together; ONNX Runtime averages over such batches too


def measure_ranges(content: bytes, images: np.ndarray, threads: int) -> dict[str, Any]:
    """Returns the range of every activation, in ai-edge-quantizer's form.

    A range is the mean, over groups of eight images, of the smallest and largest value in the
    group: the few values that stick out of one picture in hundreds are cut off, and all others get
    finer steps. After the subtraction of the pixels' offset the range is that of all possible
    pixels, so that its scale is exactly 1.

    Args:
        content: a float model whose tensors have unique names.
        images: calibration images, uint8 (M, S, S, 3).
        threads: threads of the interpreter.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(
        model_content=content, num_threads=threads, experimental_preserve_all_tensors=True
    )
    interpreter.allocate_tensors()
    graph = [o for o in operations(content) if o.outputs[0].startswith((INPUT_SCOPE, TRUNK_SCOPE))]
    wanted = {name for operation in graph for name in operation.outputs}
    tensors = {t["index"]: t["name"] for t in interpreter.get_tensor_details()}
    extremes = {index: _Extremes() for index, name in tensors.items() if name in wanted}
    (entrance,) = interpreter.get_input_details()
    for image in images:
        interpreter.set_tensor(entrance["index"], image[None].astype(np.float32))
        interpreter.invoke()
        for index, extreme in extremes.items():
            extreme.see(interpreter.get_tensor(index))
    ranges = {tensors[index]: extreme.range() for index, extreme in extremes.items()}
    for operation in graph:
        if operation.outputs[0].startswith(INPUT_SCOPE):
            ranges[operation.outputs[0]] = _range(-PIXEL_OFFSET, 255 - PIXEL_OFFSET)
        elif operation.kind == "PAD":  # adds zeros only: no other scale than its input's
            ranges[operation.outputs[0]] = ranges[operation.inputs[0]]
    return ranges


class _Extremes:
    def __init__(self) -> None:
        self._lows: list[float] = []
        self._highs: list[float] = []

    def see(self, values: np.ndarray) -> None:
        self._lows.append(float(values.min()))
        self._highs.append(float(values.max()))

    def range(self) -> dict[str, np.ndarray]:
        starts = range(0, len(self._lows), GROUP)
        low = np.mean([min(self._lows[start : start + GROUP]) for start in starts])
        high = np.mean([max(self._highs[start : start + GROUP]) for start in starts])
        return _range(min(0.0, float(low)), max(0.0, float(high)))


def _range(low: float, high: float) -> dict[str, np.ndarray]:
    return {"min": np.array([[[[low]]]], np.float32), "max": np.array([[[[high]]]], np.float32)}
