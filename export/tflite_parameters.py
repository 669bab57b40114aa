"""Other weights and biases for a converted .tflite, without converting the network again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from export.tflite_names import TRUNK_SCOPE

_WEIGHT, _BIAS = 1, 2


def with_parameters(content: bytes, parameters: Mapping[str, np.ndarray]) -> bytes:
    """Returns the same float model with the trunk's parameters replaced.

    Args:
        content: from `export.tflite_export.convert`, whose tensors are named after modules.
        parameters: name of the module's parameter → float32 value in torch's layout, of the same
            network; a convolution that had no bias may have one now.

    Raises:
        ValueError: a convolution of the file is not among the parameters.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    graph = model.subgraphs[0]
    uses = Counter(int(index) for operator in graph.operators for index in operator.inputs)
    for operator in graph.operators:
        if len(operator.inputs) <= _BIAS:
            continue
        name = graph.tensors[operator.inputs[_WEIGHT]].name.decode()
        if not (name.startswith(TRUNK_SCOPE) and name.endswith("/weight")):
            continue
        module = name.removesuffix("/weight").replace("/", ".")
        if f"{module}.weight" not in parameters:
            raise ValueError(f"the parameters have no {module}.weight")
        shape = tuple(graph.tensors[operator.inputs[_WEIGHT]].shape)
        values = {_WEIGHT: _laid_out(parameters[f"{module}.weight"], shape)}
        if f"{module}.bias" in parameters:
            values[_BIAS] = parameters[f"{module}.bias"]
        for position, value in values.items():
            index = int(operator.inputs[position])
            if uses[index] > 1:  # equal constants of several operations are one tensor
                role = "weight" if position == _WEIGHT else "bias"
                index = _copy_of(graph, index, name.removesuffix("weight") + role)
                operator.inputs[position] = index
            _set(model, graph, index, value)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _laid_out(weight: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Brings (O, I, h, w) to OHWI, or to 1HWC where each channel has its own filter."""
    for axes in ((0, 2, 3, 1), (1, 2, 3, 0)):
        if weight.transpose(axes).shape == shape:
            return weight.transpose(axes)
    raise ValueError(f"weights {weight.shape} do not fit a tensor {shape}")


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
