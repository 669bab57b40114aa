"""The graph of an .mlpackage, from its own MIL program."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from benchmarks.flops.graph import Graph, Step, without_rounding
from runtimes.mil_program import read_function

_WEIGHTED = ("conv", "linear", "matmul")
_TAKEN_OUT = ("quantize", "dequantize", "reshape", "squeeze", "expand_dims")
_BYTES = {
    **{"fp32": 4, "int32": 4, "uint32": 4, "fp16": 2, "int16": 2, "uint16": 2},
    **{"int8": 1, "uint8": 1, "bool": 1},
}


def core_ml_graph(path: Path) -> Graph:
    """Reads the program of an .mlpackage.

    Raises:
        InputError: it is damaged or holds no ML program.
        ValueError: a shape is open.
        MissingDependencyError: coremltools is not installed.
    """
    function = read_function(path)
    inputs = dict(function.inputs)
    sizes = {name: _bytes(variable) for name, variable in inputs.items()}
    steps, numbers = [], dict[str, int]()
    for operation in function.operations:
        if operation.op_type == "const" or operation.op_type.startswith("constexpr_"):
            continue
        read = {key: _variables(value) for key, value in operation.inputs.items()}
        reads = tuple(v.name for each in read.values() for v in each if not _is_constant(v))
        for variable in operation.outputs:
            sizes[variable.name] = _bytes(variable)
        weighted = operation.op_type in _WEIGHTED and bool(read.get("weight"))
        for key, variables in read.items():
            for variable in filter(_is_constant, variables):
                count = math.prod(variable.shape)
                own = weighted and key in ("weight", "bias")
                if own or (key in ("x", "y") and count > 1):
                    numbers[variable.name] = count
        macs = 0
        if weighted:
            (weight,) = read["weight"]
            macs = math.prod(_shape(operation.outputs[0])) * math.prod(weight.shape[1:])
        writes = tuple(variable.name for variable in operation.outputs)
        steps.append(Step(operation.op_type, reads, writes, macs))
    kept, sizes = without_rounding(steps, sizes, _TAKEN_OUT)
    return Graph(
        steps=kept,
        sizes=sizes,
        inputs=tuple(inputs),
        outputs=tuple(variable.name for variable in function.outputs),
        parameters=sum(numbers.values()),
    )


def _variables(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _is_constant(variable: Any) -> bool:
    operation = variable.op
    if operation is None:
        return False
    return operation.op_type == "const" or operation.op_type.startswith("constexpr_")


def _shape(variable: Any) -> tuple[int, ...]:
    sides = tuple(variable.shape)
    if not all(isinstance(side, int) or str(side).isdecimal() for side in sides):
        raise ValueError(f"the shape of '{variable.name}' is open")
    return tuple(int(side) for side in sides)


def _bytes(variable: Any) -> int:
    from coremltools.converters.mil.mil import types

    kind = types.builtin_to_string(variable.dtype)
    if kind not in _BYTES:
        raise ValueError(f"'{variable.name}' is {kind}, of unknown size")
    return _BYTES[kind] * math.prod(_shape(variable))
