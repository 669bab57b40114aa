"""Other weights and biases for a converted .tflite, without converting the network again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from export.tflite_names import TRUNK_SCOPE

_WEIGHT, _BIAS = 1, 2


Parameters = Mapping[str, np.ndarray]


def with_parameters(content: bytes, old: Parameters, new: Parameters) -> bytes | None:
    """Returns the same float model with other weights and biases in the trunk's convolutions.

    Args:
        content: from `export.tflite_export.convert`, whose tensors are named after modules.
        old: name of the module's parameter → float32 value in torch's layout, as converted.
        new: the same with other values; a convolution that had no bias may have one now.

    Returns:
        None if the converter changed a number on the way (it folds constants into biases), so that
        the network has to be converted again.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    graph = model.subgraphs[0]
    uses = Counter(int(index) for operator in graph.operators for index in operator.inputs)
    left = {name for name, value in old.items() if name.startswith("trunk.") and value.ndim == 4}
    for operator in graph.operators:
        if len(operator.inputs) <= _BIAS:
            continue
        name = graph.tensors[operator.inputs[_WEIGHT]].name.decode()
        weight_key = name.replace("/", ".")
        if not name.startswith(TRUNK_SCOPE) or weight_key not in left:
            continue
        left.remove(weight_key)
        bias_key = f"{weight_key.removesuffix('weight')}bias"
        for position, key in ((_WEIGHT, weight_key), (_BIAS, bias_key)):
            if key not in new:
                continue
            index = int(operator.inputs[position])
            before = old.get(key, np.zeros_like(new[key]))
            axes = _axes(before, graph.tensors[index].shape)
            if not np.array_equal(_values(model, graph, index), before.transpose(axes)):
                return None
            if uses[index] > 1:  # equal constants of several operations are one tensor
                index = _copy_of(graph, index, key.replace(".", "/", 1).replace(".bias", "/bias"))
                operator.inputs[position] = index
            _set(model, graph, index, new[key].transpose(axes))
    return None if left else bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _axes(values: np.ndarray, shape: Sequence[int]) -> tuple[int, ...]:
    """Axes that bring (O, I, h, w) to OHWI, or to 1HWC where each channel has its own filter."""
    if values.ndim != 4:
        return tuple(range(values.ndim))
    return (0, 2, 3, 1) if values.shape[0] == shape[0] else (1, 2, 3, 0)


def _values(model: Any, graph: Any, index: int) -> np.ndarray:
    tensor = graph.tensors[index]
    data = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.float32)
    return data.reshape(tuple(tensor.shape))


def _copy_of(graph: Any, index: int, name: str) -> int:
    from copy import copy

    tensor = copy(graph.tensors[index])
    graph.tensors[index].name = f"shared/{index}".encode()
    tensor.name = name.encode()
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _set(model: Any, graph: Any, index: int, value: np.ndarray) -> None:
    from ai_edge_litert import schema_py_generated as schema

    data = np.frombuffer(np.ascontiguousarray(value, dtype=np.float32).tobytes(), np.uint8)
    tensor = graph.tensors[index]
    if sum(other.buffer == tensor.buffer for other in graph.tensors) > 1:
        model.buffers.append(schema.BufferT())
        tensor.buffer = len(model.buffers) - 1
    model.buffers[tensor.buffer].data = data
