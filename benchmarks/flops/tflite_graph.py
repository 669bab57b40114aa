"""The graph of a .tflite, from its own operators."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from benchmarks.flops.graph import Graph, Step, without_rounding
from runtimes.model_files import read_model_file

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_VIEWS = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
_BYTES = {
    **{"FLOAT32": 4, "INT32": 4, "UINT32": 4, "INT64": 8, "FLOAT64": 8, "UINT64": 8},
    **{"FLOAT16": 2, "BFLOAT16": 2, "INT16": 2, "UINT16": 2, "INT8": 1, "UINT8": 1, "BOOL": 1},
}


def tflite_graph(path: Path) -> Graph:
    """Reads the main graph of a .tflite of fixed shapes.

    Raises:
        ValueError: it is damaged, or has an open shape or a type of unknown size.
        MissingDependencyError: ai-edge-litert is not installed.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(read_model_file(path)))
    graph = model.subgraphs[0]
    types = {value: name for name, value in vars(schema.TensorType).items() if name.isupper()}
    stored = {i for i, tensor in enumerate(graph.tensors) if _has_data(model, tensor)}
    steps, numbers = [], set[int]()
    expanded: dict[int, int] = {}  # stored weights by the tensor that holds them in float32
    for operator in graph.operators:
        kind = flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex) or "CUSTOM"
        inputs = [expanded.get(int(i), int(i)) for i in operator.inputs if i >= 0]
        constants = [i for i in inputs if i in stored]
        if kind == "DEQUANTIZE" and constants:
            expanded[int(operator.outputs[0])] = constants[0]
            continue
        numbers.update(
            i for i in constants if kind in _WEIGHTED or _is_array(graph.tensors[i], types)
        )
        steps.append(
            Step(
                kind,
                tuple(str(i) for i in inputs if i not in stored),
                tuple(str(int(i)) for i in operator.outputs),
                _macs(kind, inputs, operator, graph.tensors),
            )
        )
    used = {name for step in steps for name in (*step.reads, *step.writes)}
    sizes = {
        str(i): _bytes(tensor, types[tensor.type])
        for i, tensor in enumerate(graph.tensors)
        if str(i) in used
    }
    kept, sizes = without_rounding(steps, sizes, _VIEWS)
    return Graph(
        steps=kept,
        sizes=sizes,
        inputs=tuple(str(int(i)) for i in graph.inputs),
        outputs=tuple(str(int(i)) for i in graph.outputs),
        parameters=sum(_values(graph.tensors[i]) for i in numbers),
    )


def _macs(kind: str, inputs: list[int], operator: Any, tensors: Any) -> int:
    if kind not in _WEIGHTED:
        return 0
    answers = _values(tensors[operator.outputs[0]])
    weight = [int(side) for side in tensors[inputs[1]].shape]
    # (O, h, w, I) of a convolution, (1, h, w, C) of a depthwise one, (O, I) of a layer.
    return answers * math.prod(weight[1:3] if kind == "DEPTHWISE_CONV_2D" else weight[1:])


def _is_array(tensor: Any, types: dict[int, str]) -> bool:
    """Whether it holds float numbers of the network, and not one number or places in a shape."""
    return types[tensor.type] == "FLOAT32" and _values(tensor) > 1


def _values(tensor: Any) -> int:
    shape = [] if tensor.shape is None else [int(side) for side in tensor.shape]
    signature = getattr(tensor, "shapeSignature", None)
    if signature is not None and any(int(side) < 0 for side in signature):
        raise ValueError(f"the tensor '{tensor.name.decode()}' has an open shape")
    return math.prod(shape)


def _bytes(tensor: Any, kind: str) -> int:
    if kind not in _BYTES:
        raise ValueError(f"the tensor '{tensor.name.decode()}' is {kind}, of unknown size")
    return _BYTES[kind] * _values(tensor)


def _has_data(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0
