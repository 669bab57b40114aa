"""The graph of an .onnx, from its own operators."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.flops.graph import Graph, Step, without_rounding
from runtimes.model_files import read_model_file

_WEIGHTED = ("Conv", "Gemm", "MatMul")
_TAKEN_OUT = ("QuantizeLinear", "DequantizeLinear", "Reshape", "Flatten", "Squeeze", "Unsqueeze")


def onnx_graph(path: Path) -> Graph:
    """Reads an .onnx for a batch of one.

    Raises:
        ValueError: it is damaged, or an activation's shape is open in more than the batch.
        MissingDependencyError: onnx is not installed.
    """
    import onnx

    model = onnx.load_model_from_string(read_model_file(path))
    for value in (*model.graph.input, *model.graph.output):
        for side in value.type.tensor_type.shape.dim[:1]:
            side.dim_value = side.dim_value or 1
    model.graph.ClearField("value_info")
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    values = _Values(graph)
    steps, numbers = [], set[str]()
    for node in graph.node:
        given = [name for name in node.input if name]
        reads = tuple(name for name in given if name not in values.constant)
        if not reads:  # weights in float32, by the name that is read
            if given:
                values.constant[node.output[0]] = values.constant[given[0]]
            continue
        weighted = node.op_type in _WEIGHTED
        if node.op_type not in _TAKEN_OUT:
            constants = (values.constant[name] for name in given if name not in reads)
            numbers.update(c.name for c in constants if weighted or c.is_float)
        macs = 0
        if weighted and node.input[1] in values.constant:
            shape = values.constant[node.input[1]].shape
            each = math.prod(shape[1:]) if node.op_type == "Conv" else _shared(node, shape)
            macs = values.count(node.output[0]) * each
        steps.append(Step(node.op_type, reads, tuple(name for name in node.output if name), macs))
    sizes = {name: values.size(name) for step in steps for name in (*step.reads, *step.writes)}
    kept, sizes = without_rounding(steps, sizes, _TAKEN_OUT)
    stored = {each.name: math.prod(each.shape) for each in values.constant.values()}
    return Graph(
        steps=kept,
        sizes=sizes,
        inputs=tuple(value.name for value in graph.input if value.name in sizes),
        outputs=tuple(value.name for value in graph.output),
        parameters=sum(stored[name] for name in numbers),
    )


@dataclass(frozen=True)
class _Constant:
    name: str
    shape: tuple[int, ...]
    is_float: bool  # an array of floats, and no single number


class _Values:
    """Shapes and types of a graph's tensors."""

    def __init__(self, graph: Any) -> None:
        from onnx import TensorProto, helper

        self._helper = helper
        floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
        self.constant = {
            tensor.name: _Constant(
                tensor.name,
                tuple(tensor.dims),
                tensor.data_type in floats and math.prod(tensor.dims) > 1,
            )
            for tensor in graph.initializer
        }
        self._types = {
            value.name: value.type.tensor_type
            for value in (*graph.input, *graph.value_info, *graph.output)
        }

    def count(self, name: str) -> int:
        """Values of an activation."""
        if name not in self._types:
            raise ValueError(f"the shape of '{name}' is not known")
        sides = self._types[name].shape.dim
        if not all(side.HasField("dim_value") for side in sides):
            raise ValueError(f"the shape of '{name}' is open")
        return math.prod(side.dim_value for side in sides)

    def size(self, name: str) -> int:
        """Bytes of an activation."""
        count = self.count(name)
        kind = self._helper.tensor_dtype_to_np_dtype(self._types[name].elem_type)
        return count * int(kind.itemsize)


def _shared(node: Any, shape: tuple[int, ...]) -> int:
    """Numbers that a value of a fully connected layer is the sum of."""
    turned = any(each.name == "transB" and each.i for each in node.attribute)
    return shape[1] if node.op_type == "Gemm" and turned else shape[-2]
