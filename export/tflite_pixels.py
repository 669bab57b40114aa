"""The entrance of an int8 .tflite: pixels as bytes, and no operation for their offset."""

from __future__ import annotations

from typing import Any

import numpy as np

from distill.models import PIXEL_OFFSET
from export.tflite_names import INPUT_SCOPE
from runtimes.contract import INPUT_NAME

FLOAT_PIXELS, QUANTIZED_PIXELS = f"{INPUT_SCOPE}dequantize_0", f"{INPUT_SCOPE}quantize_0"


def take_bytes(content: bytes) -> bytes:
    """Returns the same model for an `image` of uint8 pixels, without the subtraction before it.

    Bytes with the scale 1 and the zero point 128 stand for pixel − 128, so that the operation is in
    the type of the input, and a change to float32 takes its place. Where the first convolution is
    int8, the change to that stays behind it: XNNPACK takes both, but not the one from uint8 to
    int8, which would be carried out byte by byte. uint8 and not int8, because the browser runtime
    takes no int8 input.

    Args:
        content: a model quantized from what `export.tflite_export.convert` gave.

    Raises:
        ValueError: it does not begin with the subtraction of the pixels' offset.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    graph = model.subgraphs[0]
    subtraction = graph.operators[0]
    image = graph.tensors[subtraction.inputs[0]]
    kind = flatbuffer_utils.opcode_to_name(model, subtraction.opcodeIndex)
    if (image.name.decode(), kind) != (INPUT_NAME, "SUB"):
        raise ValueError(f"the model begins with {kind} of {image.name.decode()}")
    offset = bytes(model.buffers[graph.tensors[subtraction.inputs[1]].buffer].data)
    if offset != np.float32(PIXEL_OFFSET).tobytes():
        raise ValueError(f"{np.frombuffer(offset, np.float32)} is taken from the pixels")
    image.type = schema.TensorType.UINT8
    image.quantization = schema.QuantizationParametersT(
        scale=np.ones(1, np.float32), zeroPoint=np.array([PIXEL_OFFSET], np.int64)
    )
    difference, subtraction.inputs = subtraction.outputs[0], subtraction.inputs[:1]
    subtraction.opcodeIndex = _dequantize(model, schema)
    subtraction.builtinOptionsType = schema.BuiltinOptions.NONE
    subtraction.builtinOptions = None
    graph.tensors[difference].name = FLOAT_PIXELS.encode()
    for operator in graph.operators:
        kind = flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex)
        if kind == "QUANTIZE" and difference in operator.inputs:
            graph.tensors[operator.outputs[0]].name = QUANTIZED_PIXELS.encode()
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _dequantize(model: Any, schema: Any) -> int:
    """Position of the operation in the model's list of kinds, where it is put if need be."""
    kind = schema.BuiltinOperator.DEQUANTIZE
    for position, code in enumerate(model.operatorCodes):
        if code.builtinCode == kind:
            return position
    model.operatorCodes.append(
        schema.OperatorCodeT(deprecatedBuiltinCode=kind, builtinCode=kind, version=2)
    )
    return len(model.operatorCodes) - 1
