"""Where an int8 .onnx first answers otherwise on another processor: which operator, by how much.

A copy of the file also gives out every int8 tensor. All that one operator reads is equal where it
is the first one that differs, so the cause is that operator's kernel and nothing before it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.arm.machine import ArmMachine
from benchmarks.opinions.child import ask

LIBRARY = "onnx runtime"
_WITH_WEIGHTS = ("Conv", "Gemm", "MatMul")
_DEQUANTIZED = "_DequantizeLinear_Output"


@dataclass(frozen=True)
class Rounded:
    """An int8 tensor of a file.

    Attributes:
        tensor: its name.
        operator: what computes it, as ONNX calls it.
        layer: the torch module of that operator, or "after" the last one before it.
    """

    tensor: str
    operator: str
    layer: str


@dataclass(frozen=True)
class Difference:
    """The first int8 tensor that differs.

    Attributes:
        operator: what computes it, as ONNX calls it.
        layer: the torch module of that operator, or "after" the last one before it.
        values: how many of its values differ.
        of: how many it has.
        steps: by how many int8 steps the furthest one differs.
        tensors: how many of the file's int8 tensors differ, this one and what follows from it.
        of_tensors: how many it has.
    """

    operator: str
    layer: str
    values: int
    of: int
    steps: int
    tensors: int
    of_tensors: int

    def __str__(self) -> str:
        if self.values == 0:
            return f"in the float head only, all {self.of_tensors} int8 tensors are those of x86"
        return (
            f"first in {self.operator} {self.layer}: {self.values:,} of its {self.of:,} values, by "
            f"{self.steps} step{'s' if self.steps > 1 else ''} at most; "
            f"{self.tensors} of {self.of_tensors} int8 tensors differ in the end"
        )


def first_difference(
    path: Path, machine: ArmMachine, cpu: str, pixels: np.ndarray
) -> Difference | None:
    """Returns where a file differs first from x86, or None where looking in changes its answers.

    Args:
        path: an .onnx with int8 tensors.
        machine: the emulated one.
        cpu: as QEMU calls it.
        pixels: uint8 (N, S, S, 3).

    Raises:
        InputError: an emulator that does not run.
    """
    with tempfile.TemporaryDirectory() as folder:
        opened = Path(folder) / path.name
        tensors = open_up(path, opened)
        here = ask([sys.executable], LIBRARY, [path, opened], pixels).answers
        environment = machine.environment()
        there = ask(machine.python(cpu), LIBRARY, [path, opened], pixels, environment).answers
    return compare(tensors, *both) if (both := _opened(here, there)) else None


_Outputs = dict[str, np.ndarray]


def _opened(
    here: Sequence[_Outputs | str], there: Sequence[_Outputs | str]
) -> tuple[_Outputs, _Outputs] | None:
    """What the opened copies gave, if each gave its file's answers, too, bit for bit."""
    opened = []
    for plain, shown in (here, there):
        if isinstance(plain, str) or isinstance(shown, str):
            return None
        if not all(np.array_equal(plain[name], shown[name]) for name in plain):
            return None
        opened.append(shown)
    return opened[0], opened[1]


def compare(
    tensors: Sequence[Rounded], here: dict[str, np.ndarray], there: dict[str, np.ndarray]
) -> Difference:
    """Compares the int8 tensors of two processors, in the order of the file.

    Args:
        tensors: from `open_up`.
        here: each tensor's values by its name.
        there: likewise.
    """
    steps = [
        np.abs(here[each.tensor].astype(np.int64) - there[each.tensor].astype(np.int64))
        for each in tensors
    ]
    differing = [number for number, found in enumerate(steps) if found.any()]
    if not differing:
        return Difference("", "", 0, 0, 0, 0, len(tensors))
    first = differing[0]
    return Difference(
        operator=tensors[first].operator,
        layer=tensors[first].layer,
        values=int(np.count_nonzero(steps[first])),
        of=steps[first].size,
        steps=int(steps[first].max()),
        tensors=len(differing),
        of_tensors=len(tensors),
    )


def open_up(path: Path, out: Path) -> tuple[Rounded, ...]:
    """Writes a copy of an .onnx that also gives out its int8 tensors; returns them in order.

    Args:
        path: of the file.
        out: of the copy.
    """
    import onnx

    model = onnx.load_model(str(path))
    maker = {name: node for node in model.graph.node for name in node.output}
    rounding = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    for node in rounding:
        model.graph.output.append(onnx.ValueInfoProto(name=node.output[0]))
    onnx.save_model(model, str(out))
    return tuple(_rounded(node, maker) for node in rounding)


def _rounded(rounding: Any, maker: dict[str, Any]) -> Rounded:
    operator = maker.get(rounding.input[0])
    if operator is None:
        return Rounded(rounding.output[0], "QuantizeLinear", "of the input")
    own = _layer(operator)
    where = own or f"after {_last_layer(operator, maker) or 'the input'}"
    return Rounded(rounding.output[0], operator.op_type, where)


def _layer(operator: Any) -> str:
    """The torch module whose weights an operator has, or ""."""
    if operator.op_type not in _WITH_WEIGHTS:
        return ""
    return str(operator.input[1]).removesuffix(_DEQUANTIZED).removesuffix(".weight")


def _last_layer(operator: Any, maker: dict[str, Any]) -> str:
    """The torch module nearest before an operator; of what an addition joins, the newest is last.

    Its inputs are followed backwards one by one, without recursion: graphs can be deep.
    """
    waiting = list(operator.input)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in maker:
            continue
        seen.add(name)
        if found := _layer(maker[name]):
            return found
        waiting.extend(maker[name].input)
    return ""
