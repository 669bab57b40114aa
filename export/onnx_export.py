"""ONNX files of a deployable module: fp32, fp16 trunk, and static int8 with a float head."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from export.deployable import HEAD_WEIGHT, Deployable
from export.quantization.aware.sites import LearnedRanges
from export.quantization.aware.steps import PIXELS, Range
from export.quantization.equal_sums import Addition, equal_sums
from export.quantization.float_layers import Step, in_float
from export.quantization.range_estimators import DEFAULT_ESTIMATOR, ESTIMATORS, usable_range
from runtimes.contract import INPUT_NAME, OUTPUT_NAMES

if TYPE_CHECKING:
    from onnx import ModelProto

# Opset 18 is what torch's exporter is written for and what ONNX Runtime reads since 1.14.
_OPSET = 18


def convert(deployable: Deployable, size: int) -> ModelProto:
    """Converts to ONNX with a dynamic batch.

    Args:
        deployable: channels last, float32.
        size: S, side of the input in pixels.

    Returns:
        Input `image` (N, S, S, 3), outputs `probabilities`, `cam`, `unknown`.
    """
    batch = torch.export.Dim("N", min=1)
    program = torch.onnx.export(
        deployable.out_of_place(),
        (torch.zeros(2, size, size, 3),),
        dynamo=True,
        input_names=[INPUT_NAME],
        output_names=list(OUTPUT_NAMES),
        dynamic_shapes={INPUT_NAME: {0: batch}},
        opset_version=_OPSET,
        external_data=False,
        verbose=False,
    )
    assert program is not None  # it is None only where a file name is given
    model: ModelProto = program.model_proto
    _forget_source_lines(model)
    return _simplified(model)


def _simplified(model: ModelProto) -> ModelProto:
    """Folds what onnxsim finds constant, such as an addition into the convolution before it."""
    import onnxsim

    simple, same = onnxsim.simplify(model)
    if not same:
        raise ValueError("onnxsim's result does not answer as the network did")
    return simple


def convert_again(model: ModelProto, old: Deployable, new: Deployable, size: int) -> ModelProto:
    """Returns what `convert` gives for a network with other weights and biases, sooner if it can.

    Args:
        model: what `convert` gave for `old`.
        old: channels last, float32.
        new: the same trunk with other numbers in its convolutions; one that had no bias may have
            one now.
        size: S, side of the input in pixels.
    """
    from onnx import ModelProto, numpy_helper

    copy = ModelProto()
    copy.CopyFrom(model)
    present = {tensor.name: tensor for tensor in copy.graph.initializer}
    readers = {node.input[1]: node for node in copy.graph.node if node.op_type == "Conv"}
    before = dict(old.trunk.named_parameters(prefix="trunk"))
    for name, value in new.trunk.named_parameters(prefix="trunk"):
        if name in before and torch.equal(before[name], value):
            continue
        tensor = numpy_helper.from_array(value.detach().numpy(), name)
        reader = readers.get(f"{name.rpartition('.')[0]}.weight")
        if reader is None:
            return convert(new, size)
        if name not in before:
            copy.graph.initializer.append(tensor)
            reader.input.append(name)
        elif name in present and np.array_equal(
            numpy_helper.to_array(present[name]), before[name].detach().numpy()
        ):
            present[name].CopyFrom(tensor)
        else:  # the exporter merged or changed it
            return convert(new, size)
    return copy


def halve_trunk(model: ModelProto) -> ModelProto:
    """Returns a copy whose trunk stores and computes in float16, between float32 borders and head.

    Args:
        model: a float32 model from `convert`, whose trunk reads pixels in its convolutions only
            and shares no numbers with the head; ONNX Runtime refuses the result otherwise.
    """
    from onnx import ModelProto, TensorProto, helper, numpy_helper

    copy = ModelProto()
    copy.CopyFrom(model)
    graph, trunk = copy.graph, _trunk_nodes(copy)
    head = next(node for node in graph.node if HEAD_WEIGHT in node.input)
    entrance, last_map = _pixels(copy), head.input[0]
    read = {name for node in trunk for name in node.input}
    for tensor in graph.initializer:
        if tensor.name in read and tensor.data_type == TensorProto.FLOAT:
            half = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, tensor.name))
    for node in trunk:
        node.input[:] = [f"{name}_half" if name == entrance else name for name in node.input]
    casts = (
        (trunk[0], entrance, f"{entrance}_half", TensorProto.FLOAT16),
        (head, last_map, f"{last_map}_float", TensorProto.FLOAT),
    )
    for before, source, target, kind in casts:
        cast = helper.make_node("Cast", [source], [target], name=f"cast_{target}", to=kind)
        graph.node.insert(list(graph.node).index(before), cast)
    halved = {node.name for node in trunk}
    for node in graph.node:
        if node.name not in halved and node.op_type != "Cast":
            node.input[:] = [f"{last_map}_float" if i == last_map else i for i in node.input]
    del graph.value_info[:]  # tells of float32
    return copy


def write(model: ModelProto, path: Path) -> None:
    """Checks a model and writes it as one file."""
    import onnx

    onnx.checker.check_model(model, full_check=True)
    onnx.save_model(model, str(path), save_as_external_data=False)


def quantize_static(
    model: ModelProto,
    images: np.ndarray,
    estimator: str = DEFAULT_ESTIMATOR,
    float_layers: Collection[str] = (),
    learned: LearnedRanges | None = None,
) -> ModelProto:
    """Quantizes the trunk to int8 as QDQ, per output channel for weights; the head stays float32.

    Args:
        model: a float32 model from `convert`.
        images: calibration images, uint8 (M, S, S, 3).
        estimator: of the activations' ranges, see `range_estimators.ESTIMATORS`.
        float_layers: convolutions left in float, see `float_layers`.
        learned: ranges that are taken instead of measured ones.
    """
    import tempfile

    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    nodes = _trunk_nodes(model)
    steps = _steps(model, nodes)
    kept = in_float(steps, float_layers)
    names = [name for node in nodes for name in node.output]
    overrides: dict[str, Any]
    if learned is None:
        ranges = _measure_ranges(model, names, images, estimator)
        overrides = {
            name: [{"rmin": np.float32(low), "rmax": np.float32(high)}]
            for name, (low, high) in ranges.items()
        }
        in_int8 = [node for node in nodes if node.name not in kept]
        source = _sources(in_int8, ranges)
        spans = equal_sums(ranges, _additions(in_int8, source))
        overrides |= {
            name: [_as_override(spans[source[name]])] for name in ranges if source[name] in spans
        }
    else:
        overrides = {name: [_as_override(span)] for name, span in learned.of_tensors(steps).items()}
    # Pixels minus 128 are whole numbers, whatever the calibration images hold.
    overrides[_pixels(model)] = [_as_override(PIXELS)]
    with tempfile.TemporaryDirectory() as folder:
        exact, quantized = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save_model(model, str(exact))  # given a model, ONNX Runtime moves its weights away
        quantize_static(
            str(exact),
            str(quantized),
            _OneImage(images),  # the ranges are known already
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=False,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=[node.name for node in nodes if node.name not in kept],
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"TensorQuantOverrides": overrides},
        )
        model = onnx.load_model(str(quantized))
    _keep_in_float(model, kept)
    return model


def _keep_in_float(model: ModelProto, kept: Collection[str]) -> None:
    """Makes ONNX Runtime leave the weights of convolutions in float as they are.

    While it opens a file it rounds, with one scale for all channels, the float weights of a
    convolution between a `DequantizeLinear` with one scale and a `QuantizeLinear` (its
    WeightBiasQuantization). Such a convolution gets a `DequantizeLinear` of its own for what it
    reads, whose scale stands there once for each channel: the same numbers, which that pass leaves
    alone.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    dequantized = {n.output[0]: n for n in graph.node if n.op_type == "DequantizeLinear"}
    stored = {each.name: each for each in graph.initializer}
    for place, node in reversed(list(enumerate(graph.node))):
        if node.op_type != "Conv" or node.name not in kept or node.input[0] not in dequantized:
            continue
        integers, *numbers = dequantized[node.input[0]].input
        groups = next((each.i for each in node.attribute if each.name == "group"), 1)
        channels = groups * stored[node.input[1]].dims[1]
        names = []
        for number, what in zip(numbers, ("scale", "zero_point"), strict=True):
            values = np.full(channels, numpy_helper.to_array(stored[number]).item())
            values = values.astype(numpy_helper.to_array(stored[number]).dtype)
            names.append(f"{node.name}_input_{what}")
            graph.initializer.append(numpy_helper.from_array(values, names[-1]))
        read = f"{node.name}_input"
        own = helper.make_node(
            *("DequantizeLinear", [integers, *names], [read], f"{read}_DequantizeLinear"), axis=1
        )
        node.input[0] = read
        graph.node.insert(place, own)


def _as_override(span: Range) -> dict[str, np.ndarray]:
    """A range as ONNX Runtime's quantizer takes it without computing anything."""
    return {
        "scale": np.array(span.scale, np.float32),
        "zero_point": np.array(span.zero_point, np.uint8),
    }


def _steps(model: ModelProto, nodes: Sequence[Any]) -> list[Step]:
    computed = {_pixels(model), *(name for node in nodes for name in node.output)}
    steps = []
    for node in nodes:
        layer = node.input[1] if node.op_type in ("Conv", "MatMul", "Gemm") else ""
        steps.append(
            Step(
                node.name,
                layer.removeprefix("trunk.").removesuffix(".weight") or None,
                tuple(name for name in node.input if name in computed),
                tuple(node.output),
            )
        )
    return steps


def _sources(nodes: Sequence[Any], ranges: Mapping[str, tuple[float, float]]) -> dict[str, str]:
    """For each tensor the one whose values it has, and is to have the steps of: often itself."""
    found = {name: name for name in ranges}
    for node in nodes:
        before, after = node.input[0], node.output[0]
        if node.op_type in ("MaxPool", "Pad") and ranges.get(before) == ranges.get(after):
            found[after] = found.get(before, after)
    return found


def _additions(nodes: Sequence[Any], source: Mapping[str, str]) -> list[Addition]:
    """The additions of two activations, with the tensors that are rounded around them."""
    readers: dict[str, list[Any]] = {}
    for node in nodes:
        for name in node.input:
            readers.setdefault(name, []).append(node)

    def rounded(name: str) -> str:  # an activation function is part of what it follows
        following = readers.get(name, [])
        joined = len(following) == 1 and following[0].op_type in ("Relu", "Clip")
        return str(following[0].output[0]) if joined else name

    return [
        Addition((source[node.input[0]], source[node.input[1]]), rounded(node.output[0]))
        for node in nodes
        if node.op_type == "Add" and source.keys() >= set(node.input)
    ]


def _pixels(model: ModelProto) -> str:
    """Name of the tensor that the first convolution reads."""
    return str(next(node for node in model.graph.node if node.op_type == "Conv").input[0])


def _measure_ranges(
    model: ModelProto, names: Sequence[str], images: np.ndarray, estimator: str
) -> dict[str, tuple[float, float]]:
    """Returns the range of each named tensor on the images; those of whole numbers have none."""
    import onnx
    import onnxruntime

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        copy.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    kinds = {output.name: output.type for output in session.get_outputs()}
    seen = {name: ESTIMATORS[estimator]() for name in names if kinds[name] == "tensor(float)"}
    for image in images:
        found = session.run(list(seen), {INPUT_NAME: image[None].astype(np.float32)})
        for name, values in zip(seen, found, strict=True):
            seen[name].see(values)
    return {name: usable_range(activation, name) for name, activation in seen.items()}


def _trunk_nodes(model: ModelProto) -> list[Any]:
    """The nodes from the first convolution to the last map."""
    nodes = list(model.graph.node)
    first = next(i for i, node in enumerate(nodes) if node.op_type == "Conv")
    head = next(i for i, node in enumerate(nodes) if HEAD_WEIGHT in node.input)
    return nodes[first:head]


class _OneImage:
    """Hands one calibration image to ONNX Runtime, which asks for some."""

    def __init__(self, images: np.ndarray) -> None:
        self._image: np.ndarray | None = images[:1].astype(np.float32)

    def get_next(self) -> dict[str, Any] | None:
        image, self._image = self._image, None
        return None if image is None else {INPUT_NAME: image}


def _forget_source_lines(model: ModelProto) -> None:
    """Drops the exporter's stack traces, which name files of the machine that exported."""
    for node in model.graph.node:
        del node.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
