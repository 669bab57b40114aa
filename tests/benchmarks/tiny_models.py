"""One-operator networks as files, written byte by byte, so that they cost nothing to make."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_tflite(path: Path, side: int = 8, *, graph: bool = True) -> Path:
    """Writes a 3×3 convolution from 3 to 4 channels, SAME, (1, side, side, 3) of float32.

    Args:
        path: where to.
        side: of the square in pixels.
        graph: False leaves the graph out, which LiteRT 2.3 answers with a segmentation fault.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    generator = np.random.default_rng(0)
    weights = generator.normal(size=(4, 3, 3, 3)).astype(np.float32)
    data = (None, weights.tobytes(), np.zeros(4, np.float32).tobytes())
    shapes = ([1, side, side, 3], [4, 3, 3, 3], [4], [1, side, side, 4])
    tensors = []
    for name, shape in zip("iwbo", shapes, strict=True):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, shape, schema.TensorType.FLOAT32
        tensor.buffer = "wb".find(name) + 1
        tensors.append(tensor)
    options = schema.Conv2DOptionsT()
    options.strideW = options.strideH = 1
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1, 2], [3]
    operator.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    operator.builtinOptions = options
    whole = schema.SubGraphT()
    whole.tensors, whole.operators, whole.inputs, whole.outputs = tensors, [operator], [0], [3]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    model = schema.ModelT()
    model.version, model.subgraphs, model.operatorCodes = 3, [whole] if graph else None, [code]
    model.buffers = []
    for content in data:
        buffer = schema.BufferT()
        buffer.data = None if content is None else np.frombuffer(content, np.uint8)
        model.buffers.append(buffer)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(builder.Output())
    return path


def write_onnx(
    path: Path, side: int = 8, channels_out: int = 4, shape: tuple[int | str, ...] = ()
) -> Path:
    """Writes the like for ONNX Runtime, (N, 3, side, side) of float32.

    Args:
        path: where to.
        side: of the square in pixels.
        channels_out: of the convolution.
        shape: what the file says of its input instead.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(0)
    weights = generator.normal(size=(channels_out, 3, 3, 3)).astype(np.float32)
    given = shape or ("N", 3, side, side)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["i", "w"], ["o"], pads=[1, 1, 1, 1])],
        "tiny",
        [helper.make_tensor_value_info("i", TensorProto.FLOAT, given)],
        [helper.make_tensor_value_info("o", TensorProto.FLOAT, ("N", channels_out, None, None))],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, path)
    return path
