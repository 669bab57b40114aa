"""Reads a written int8 file and says which operators of the trunk are in float all the same.

A converter leaves in float what it has no int8 form for, and tells nobody. An operator counts as
int8 where what it reads and what it answers is int8, and where a convolution's weights are. ONNX
has int8 around any operator, so there it also has to be one that ONNX Runtime computes in int8.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.deployable import HEAD_WEIGHT
from export.formats import Format
from export.half_trunk import MARK
from export.quantization.float_layers import Step, in_float
from export.tflite_names import TRUNK_SCOPE, module_of, operations, weight_of

_ONNX_ROUNDING = ("QuantizeLinear", "DequantizeLinear")
_WITH_WEIGHTS = ("Conv", "Gemm", "MatMul", "conv", "linear")
# Core ML takes these together with the operator whose answer they alone read.
_CORE_ML_FUSED = ("clip", "relu", "silu", "sigmoid")


@dataclass(frozen=True)
class Written:
    """An operator as it stands in a file.

    Attributes:
        step: what it is called, what it reads and answers; rounding in between is left out.
        kind: as the format calls it.
        is_float: whether it is not int8.
    """

    step: Step
    kind: str
    is_float: bool


def left_in_float(
    path: Path, form: Format, layers: Sequence[str], asked: Collection[str] = ()
) -> tuple[str, ...]:
    """Names the trunk's operators that are in float although int8 is asked for.

    A convolution is called after its torch module, anything else after the last one before it.
    Of a file with int8 weights only, the layers are named whose weights are in float.

    Args:
        path: the written file.
        form: its format; one without int8 leaves nothing in float that was not asked to be.
        layers: names of the trunk's torch modules.
        asked: convolutions that shall be in float; what follows them is not named either.
    """
    readers: dict[str, Callable[[Path, Sequence[str]], list[Written]]] = {
        "tflite:int8": _read_tflite,
        "onnx:int8": _read_onnx,
        "coreml:w8a8": _read_core_ml,
        "coreml:int8-weights": _read_core_ml_weights,
    }
    if form.key not in readers:
        return ()
    operators = readers[form.key](path, layers)
    steps = [each.step for each in operators]
    wanted = in_float(steps, asked)
    behind = _layers_behind(steps)
    return tuple(
        f"{each.kind} {each.step.layer}" if each.step.layer else f"{each.kind} after {last}"
        for each, last in zip(operators, behind, strict=True)
        if each.is_float and each.step.name not in wanted
    )


def summary(names: Sequence[str]) -> str:
    """Returns names by `left_in_float` in few words, such as "16 ReduceMean (after 1.0, …)"."""
    parts = []
    for kind, count in Counter(name.split(" ")[0] for name in names).items():
        first = next(name for name in names if name.split(" ")[0] == kind)
        where = first.split(" ", 1)[1]
        parts.append(f"{count} {kind} ({where}{', …' if count > 1 else ''})")
    return ", ".join(parts)


def _layers_behind(steps: Sequence[Step]) -> list[str]:
    """The last layer on the way to each step, "the input" where there is none."""
    last: dict[str, str] = {}
    found = []
    for step in steps:
        # Of what a concatenation or an addition joins, the newest comes last.
        before = next((last[name] for name in reversed(step.inputs) if name in last), "the input")
        found.append(before)
        last.update(dict.fromkeys(step.outputs, step.layer or before))
    return found


def _read_tflite(path: Path, layers: Sequence[str]) -> list[Written]:
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    content = path.read_bytes()
    graph = flatbuffer_utils.read_model_from_bytearray(bytearray(content)).subgraphs[0]
    real = (schema.TensorType.FLOAT32, schema.TensorType.FLOAT16)
    floats = {tensor.name.decode() for tensor in graph.tensors if tensor.type in real}
    source: dict[str, str] = {}
    found = []
    for each in operations(content):
        inputs = tuple(source.get(name, name) for name in each.inputs)
        if each.kind in ("QUANTIZE", "DEQUANTIZE"):
            source[each.outputs[0]] = inputs[0]
            continue
        if not each.outputs[0].startswith(TRUNK_SCOPE):
            continue
        weight, module = weight_of(each), module_of(each)
        layer = None if module is None else module.removeprefix(TRUNK_SCOPE)
        is_float = each.outputs[0] in floats or weight in floats
        step = Step(each.outputs[0], layer, inputs, each.outputs, each.kind == "PAD")
        found.append(Written(step, each.kind, is_float))
    return found


@dataclass(frozen=True)
class _Node:
    """An operator of ONNX or Core ML, whose int8 stands in operators of its own around it."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weight: str | None


def _read_onnx(path: Path, layers: Sequence[str]) -> list[Written]:
    import onnx
    from onnxruntime.quantization.registry import QLinearOpsRegistry

    model = onnx.shape_inference.infer_shapes(onnx.load_model(str(path)))
    kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
    constants = {tensor.name for tensor in model.graph.initializer}
    rounded = {
        node.output[0]
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in constants
    }
    nodes = []
    for node in model.graph.node:
        weight = node.input[1] if node.op_type in _WITH_WEIGHTS else None
        whole = kinds.get(node.output[0]) in (onnx.TensorProto.INT64, onnx.TensorProto.INT32)
        if whole or node.output[0] in rounded:  # shapes and indices; numbers of the network
            continue
        inputs = (name for name in node.input if name not in constants | rounded)
        values = tuple(name for name in inputs if kinds.get(name) != onnx.TensorProto.INT64)
        nodes.append(_Node(node.op_type, values, tuple(node.output), weight))
    names = {f"trunk.{layer}.weight": layer for layer in layers}

    def layer_of(weight: str) -> str:
        plain = weight.removesuffix("_DequantizeLinear_Output")
        return names.get(plain, plain)

    return _read_rounding(nodes, *_ONNX_ROUNDING, rounded, (), layer_of, QLinearOpsRegistry)


def _read_core_ml(path: Path, layers: Sequence[str]) -> list[Written]:
    nodes, rounded = _core_ml_nodes(path)
    layer_of = _core_ml_layers(layers)
    return _read_rounding(nodes, "quantize", "dequantize", rounded, _CORE_ML_FUSED, layer_of)


def _read_core_ml_weights(path: Path, layers: Sequence[str]) -> list[Written]:
    nodes, rounded = _core_ml_nodes(path)
    layer_of = _core_ml_layers(layers)
    return [
        Written(
            Step(node.outputs[0], layer_of(node.weight), node.inputs, node.outputs),
            node.kind,
            node.weight not in rounded,
        )
        for node in _of_the_trunk(nodes)
        if node.weight is not None
    ]


def _core_ml_nodes(path: Path) -> tuple[list[_Node], set[str]]:
    from runtimes.coremltools_import import import_coremltools

    model = import_coremltools().models.MLModel(str(path), skip_model_load=True)
    (function,) = model.get_spec().mlProgram.functions.values()
    (block,) = function.block_specializations.values()
    constants: set[str] = set()
    rounded: set[str] = set()
    nodes = []
    for operation in block.operations:
        outputs = tuple(output.name for output in operation.outputs)
        if operation.type == "const":
            constants.update(outputs)
            continue
        if operation.type.startswith("constexpr_"):
            rounded.update(outputs)
            continue
        read = {
            key: [argument.name for argument in value.arguments]
            for key, value in operation.inputs.items()
        }
        weight = read["weight"][0] if operation.type in _WITH_WEIGHTS else None
        values = [name for names in read.values() for name in names if name]
        inputs = tuple(name for name in values if name not in constants | rounded)
        nodes.append(_Node(operation.type, inputs, outputs, weight))
    return nodes, rounded


def _core_ml_layers(layers: Sequence[str]) -> Callable[[str], str]:
    """Core ML writes names with underscores only, and more behind them."""
    names = {f"trunk_{layer.replace('.', '_')}": layer for layer in layers}

    def layer_of(weight: str) -> str:
        plain = weight.rpartition("_weight")[0]
        for mark in (f"trunk_{MARK}_", f"trunk_{MARK}"):  # of what is kept in float32
            plain = plain.replace(mark, "trunk_")
        # coremltools wraps a convolution and its activation into a module of its own.
        return names.get(plain) or names.get(plain.removesuffix("_conv"), plain)

    return layer_of


def _of_the_trunk(nodes: Sequence[_Node]) -> Sequence[_Node]:
    """From the first convolution up to the head's."""
    weights = [node.weight or "" for node in nodes]
    first = next(i for i, weight in enumerate(weights) if weight)
    return nodes[first : next(i for i, weight in enumerate(weights) if HEAD_WEIGHT in weight)]


def _read_rounding(
    nodes: Sequence[_Node],
    quantize: str,
    dequantize: str,
    rounded: Collection[str],
    fused: Collection[str],
    layer_of: Callable[[str], str],
    able: Collection[str] | None = None,
) -> list[Written]:
    maker = {name: node for node in nodes for name in node.outputs}
    readers: dict[str, list[_Node]] = {}
    for node in nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node)

    def is_joined(node: _Node) -> bool:
        """Whether it is an activation that belongs to the operator before it."""
        return node.kind in fused and node.inputs[0] in maker and len(readers[node.inputs[0]]) == 1

    def reads_int8(name: str) -> bool:
        return name in maker and maker[name].kind == dequantize

    def is_float(node: _Node) -> bool:
        if is_joined(node):
            return is_float(maker[node.inputs[0]])
        if node.weight is not None and node.weight not in rounded:
            return True
        if able is not None and node.kind not in able:
            return True
        last = node
        following = readers.get(node.outputs[0], [])
        if len(following) == 1 and is_joined(following[0]):
            last = following[0]
        answers = readers.get(last.outputs[0], [])
        written = bool(answers) and all(each.kind == quantize for each in answers)
        return not (written and all(reads_int8(name) for name in node.inputs))

    source = _behind_rounding(nodes, (quantize, dequantize))
    return [
        Written(
            Step(
                node.outputs[0],
                None if node.weight is None else layer_of(node.weight),
                tuple(source.get(name, name) for name in node.inputs),
                node.outputs,
            ),
            node.kind,
            is_float(node),
        )
        for node in _of_the_trunk(nodes)
        if node.kind not in (quantize, dequantize)
    ]


def _behind_rounding(nodes: Sequence[_Node], kinds: Collection[str]) -> Mapping[str, Any]:
    source: dict[str, str] = {}
    for node in nodes:
        if node.kind in kinds:
            source[node.outputs[0]] = source.get(node.inputs[0], node.inputs[0])
    return source
