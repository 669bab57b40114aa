"""A .tflite that no GPU delegate takes: an analyzer that finds nothing against it is no witness."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_control(path: Path) -> None:
    """Writes the place of the largest of eight numbers, an ARG_MAX; GPU delegates have none."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    types = schema.TensorType
    axis = np.array([1], np.int32).tobytes()
    tensors = []
    for name, shape, kind, buffer in (
        ("numbers", [1, 8], types.FLOAT32, 0),
        ("axis", [1], types.INT32, 1),
        ("place", [1], types.INT64, 0),
    ):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, shape, kind, buffer
        tensors.append(tensor)
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.ArgMaxOptions
    operator.builtinOptions = schema.ArgMaxOptionsT()
    operator.builtinOptions.outputType = types.INT64
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = tensors, [operator], [0], [2]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.ARG_MAX
    code.version = 1
    model = schema.ModelT()
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [code]
    empty, stored = schema.BufferT(), schema.BufferT()
    stored.data = np.frombuffer(axis, np.uint8)
    model.buffers = [empty, stored]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(builder.Output())
