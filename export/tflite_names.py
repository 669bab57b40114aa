"""Readable tensor names for a converted .tflite, found by the content of its weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.deployable import HEAD_WEIGHT
from runtimes.contract import INPUT_NAME, OUTPUT_NAMES

TRUNK_SCOPE = "trunk/"
INPUT_SCOPE = "input/"
_WEIGHT = "/weight"
_TURNED = "_dequant"  # ai-edge-quantizer's, of weights that are stored in another type


def name_tensors(content: bytes, parameters: Mapping[str, np.ndarray]) -> bytes:
    """Returns the same float model with names that a person can read.

    Converters call tensors after their own classes. Here every convolution is recognised by the
    bytes of its weights and gets the name of its module: `trunk/1.conv.0.0` is the output,
    `trunk/1.conv.0.0/weight` the weights. Operations without weights are numbered by kind,
    `trunk/add_2`; the subtraction before the trunk is `input/sub_0`; what follows the class maps
    is under `head/`. Input and outputs are `image`, `probabilities`, `cam`, `unknown`, which the
    quantization recipes and the applications rely on.

    Args:
        content: the flatbuffer, one signature whose inputs and outputs have those names already.
        parameters: name of the module's parameter → float32 value in torch's layout.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    graph = model.subgraphs[0]
    borders = _border_names(model.signatureDefs[0])
    known = {_key(np.ascontiguousarray(v)): n for n, v in _tflite_layouts(parameters)}
    names: dict[int, str] = {}
    counts: Counter[str] = Counter()
    scope = INPUT_SCOPE
    for operator in graph.operators:
        constants = [i for i in operator.inputs if i >= 0 and _has_data(model, graph.tensors[i])]
        module = next(
            (known[k] for i in constants if (k := _tensor_key(model, graph.tensors[i])) in known),
            None,
        )
        if module is not None:
            label = module.removesuffix(".weight").replace(".", "/", 1)
        else:
            kind = flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex) or "custom"
            label = f"{scope}{kind.lower()}_{counts[scope + kind]}"
            counts[scope + kind] += 1
        for position, index in enumerate(operator.outputs):
            names[index] = borders.get(index, label if position == 0 else f"{label}:{position}")
        for position, index in enumerate(constants):
            names.setdefault(index, f"{label}/{_role(position, module)}")
        scope = _next_scope(scope, module)
    _write(graph, names | borders)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


@dataclass(frozen=True)
class Operation:
    """One operator of the main graph: its kind, and the names of its tensors."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def weight_of(operation: Operation) -> str | None:
    """Name of the weights that an operation computes with, in whatever type they are stored."""
    names = (name.removesuffix(_TURNED) for name in operation.inputs)
    return next((name for name in names if name.endswith(_WEIGHT)), None)


def module_of(operation: Operation) -> str | None:
    """The module whose weights it computes with, under its scope: `trunk/1.conv.0.0`."""
    weight = weight_of(operation)
    return None if weight is None else weight.removesuffix(_WEIGHT)


def operations(content: bytes) -> list[Operation]:
    """Returns the operators of the main graph in order of execution."""
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    graph = model.subgraphs[0]

    def names(indices: Any) -> tuple[str, ...]:
        return tuple(graph.tensors[index].name.decode() for index in indices if index >= 0)

    return [
        Operation(
            flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex) or "CUSTOM",
            names(operator.inputs),
            names(operator.outputs),
        )
        for operator in graph.operators
    ]


def _border_names(signature: Any) -> dict[int, str]:
    borders = {t.tensorIndex: t.name.decode() for t in (*signature.inputs, *signature.outputs)}
    if sorted(borders.values()) != sorted((INPUT_NAME, *OUTPUT_NAMES)):
        raise ValueError(f"unexpected signature {sorted(borders.values())}")
    return borders


def _next_scope(scope: str, module: str | None) -> str:
    if module == HEAD_WEIGHT:
        return "head/"
    return TRUNK_SCOPE if scope == INPUT_SCOPE else scope


def _tflite_layouts(parameters: Mapping[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    """Weights as TFLite holds them: OHWI, and 1HWC where each channel has its own filter."""
    layouts = []
    for name, value in parameters.items():
        if value.ndim == 4:
            layouts.append((name, value.transpose(0, 2, 3, 1)))
            if value.shape[1] == 1:
                layouts.append((name, value.transpose(1, 2, 3, 0)))
        elif value.ndim == 2:
            layouts.append((name, value))
    return layouts


def _has_data(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _tensor_key(model: Any, tensor: Any) -> tuple[tuple[int, ...], bytes]:
    data = model.buffers[tensor.buffer].data
    return tuple(int(n) for n in tensor.shape), bytes(data)


def _key(value: np.ndarray) -> tuple[tuple[int, ...], bytes]:
    return value.shape, value.tobytes()


def _role(position: int, module: str | None) -> str:
    if module is None:
        return f"constant_{position}"
    return ("weight", "bias")[position] if position < 2 else f"constant_{position}"


def _write(graph: Any, names: dict[int, str]) -> None:
    taken: Counter[str] = Counter()
    for index, tensor in enumerate(graph.tensors):
        name = names.get(index, f"unused_{index}")
        taken[name] += 1
        tensor.name = (name if taken[name] == 1 else f"{name}~{taken[name]}").encode()
