"""Which operator of an int8 file first answers otherwise on another processor."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.arm.first_difference import (
    LIBRARY,
    Difference,
    compare,
    first_difference,
    open_up,
)
from benchmarks.arm.machine import ArmMachine
from benchmarks.artifacts import listed_files
from benchmarks.commands import arm as command
from benchmarks.opinions.ask import read_golden
from benchmarks.opinions.child import ask
from export.quantization.equal_sums import Addition, equal_sums
from runtimes.console import Verb, run_program
from runtimes.contract import INPUT_NAME

from .conftest import Exported

VERB = (Verb("arm", "", command.__name__),)


@dataclass(frozen=True)
class SameMachine(ArmMachine):
    """This processor in the place of the other one."""

    def python(self, cpu: str) -> list[str]:
        return [sys.executable]

    def environment(self) -> dict[str, str]:
        return dict(os.environ)


def _int8(exported: Exported) -> Path:
    return exported.artifacts / listed_files(exported.artifacts)[0]["onnx:int8"]


@pytest.fixture(scope="module")
def pixels(exported: Exported) -> np.ndarray:
    found: np.ndarray = read_golden(exported.artifacts)[INPUT_NAME][:2]
    return found


def test_operators_go_by_their_torch_modules(exported: Exported, tmp_path: Path) -> None:
    tensors = open_up(_int8(exported), tmp_path / "opened.onnx")
    assert (tensors[0].operator, tensors[0].layer) == ("Transpose", "after the input")
    assert (tensors[1].operator, tensors[1].layer) == ("Conv", "trunk.0.0")
    sums = [each.layer for each in tensors if each.operator == "Add"]
    assert sums[:2] == ["after trunk.3.conv.2", "after trunk.5.conv.2"]
    assert len(sums) == 10
    assert len(tensors) == len({each.tensor for each in tensors}) == 63


def test_the_first_tensor_in_the_order_of_the_file_is_named(
    exported: Exported, pixels: np.ndarray, tmp_path: Path
) -> None:
    opened = tmp_path / "opened.onnx"
    tensors = open_up(_int8(exported), opened)
    (here,) = ask([sys.executable], LIBRARY, [opened], pixels).answers
    assert isinstance(here, dict)
    there = {name: values.copy() for name, values in here.items()}
    for number, changed, step in ((40, 9, 7), (20, 3, 2)):
        flat = there[tensors[number].tensor].reshape(-1)
        flat[:changed] = np.where(flat[:changed] > 128, flat[:changed] - step, flat[:changed] + 1)
        flat[0] = here[tensors[number].tensor].flat[0] ^ 2  # by two steps
    found = compare(tensors, here, there)
    assert (found.operator, found.layer) == (tensors[20].operator, tensors[20].layer)
    assert (found.values, found.of) == (3, here[tensors[20].tensor].size)
    assert (found.steps, found.tensors, found.of_tensors) == (2, 2, 63)
    assert f"3 of its {found.of:,} values, by 2 steps" in str(found)


def test_on_the_same_processor_no_int8_tensor_differs(
    exported: Exported, pixels: np.ndarray, tmp_path: Path
) -> None:
    found = first_difference(_int8(exported), SameMachine(tmp_path), "this one", pixels)
    assert found == Difference("", "", 0, 0, 0, 0, 63)
    assert "float head only, all 63" in str(found)


def test_nothing_is_said_where_looking_in_changes_the_answers(
    exported: Exported, pixels: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(path: Path, out: Path) -> Any:
        """Shows the tensors of a file with another first bias."""
        tensors = open_up(path, out)
        model = onnx.load_model(str(out))
        for tensor in model.graph.initializer:
            if tensor.name == "trunk.0.0.bias_quantized":
                values = numpy_helper.to_array(tensor) + 1000
                tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        onnx.save_model(model, str(out))
        return tensors

    monkeypatch.setattr("benchmarks.arm.first_difference.open_up", other)
    assert first_difference(_int8(exported), SameMachine(tmp_path), "this one", pixels) is None


def _sums(path: Path, scales: dict[str, tuple[float, int]]) -> Path:
    """Writes an .onnx that adds the first two colours of its pixels as int8 tensors a and b."""
    constants, nodes = (
        [],
        [helper.make_node("Split", ["image"], ["a0", "b0", "c0"], axis=3, num_outputs=3)],
    )
    for name, (scale, zero_point) in scales.items():
        constants.append(numpy_helper.from_array(np.float32(scale), f"{name}_scale"))
        constants.append(numpy_helper.from_array(np.uint8(zero_point), f"{name}_zero"))
        constants.append(numpy_helper.from_array(np.float32(zero_point), f"{name}_middle"))
    for name in "ab":
        nodes.append(helper.make_node("Sub", [f"{name}0", f"{name}_middle"], [f"{name}1"]))
        nodes.append(helper.make_node("Mul", [f"{name}1", f"{name}_scale"], [f"{name}2"]))
    nodes.insert(5, helper.make_node("Add", ["a4", "b4"], ["c2"]))
    for name in "abc":
        steps = [f"{name}_scale", f"{name}_zero"]
        place = nodes.index(next(node for node in nodes if node.op_type == "Add"))
        place += 1 if name == "c" else 0
        nodes.insert(place, helper.make_node("QuantizeLinear", [f"{name}2", *steps], [f"{name}3"]))
        dequantize = helper.make_node("DequantizeLinear", [f"{name}3", *steps], [f"{name}4"])
        nodes.insert(place + 1, dequantize)
    nodes.append(helper.make_node("Identity", ["c4"], ["cam"]))
    nodes.append(helper.make_node("Identity", ["c4"], ["probabilities"]))
    value = helper.make_tensor_value_info
    shape, plane = [1, 256, 256, 3], [1, 256, 256, 1]
    outputs = [value(name, TensorProto.FLOAT, plane) for name in ("cam", "probabilities")]
    inputs = [value("image", TensorProto.FLOAT, shape)]
    graph = helper.make_graph(nodes, "sums", inputs, outputs, constants)
    onnx.save_model(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8),
        str(path),
    )
    return path


# Scales of an addition as they were measured on the released student.
MEASURED = {
    "a": (0.1245662048459053, 122),
    "b": (0.16871872544288635, 122),
    "c": (0.21548910439014435, 126),
}


@pytest.fixture(scope="module")
def pairs() -> np.ndarray:
    """Every pair of steps in the first two colours, uint8 (1, 256, 256, 3)."""
    a, b = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    return np.stack([a, b, np.zeros_like(a)], axis=-1)[None].astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("cpu", ["cortex-a53", "cortex-a76"])
def test_an_arm_kernel_adds_otherwise_with_scales_as_measured_and_not_with_those_chosen(
    cpu: str, machine: ArmMachine, pairs: np.ndarray, tmp_path: Path
) -> None:
    path = _sums(tmp_path / "measured.onnx", MEASURED)
    found = first_difference(path, machine, cpu, pairs)
    assert found == Difference("Add", "after the input", 1, 1 << 16, 1, 1, 3)
    ranges = {
        name: (-scale * zero_point, scale * (255 - zero_point))
        for name, (scale, zero_point) in MEASURED.items()
    }
    chosen = equal_sums(ranges, [Addition(("a", "b"), "c")])
    scales = {name: (span.scale, span.zero_point) for name, span in sorted(chosen.items())}
    path = _sums(tmp_path / "chosen.onnx", scales)
    assert first_difference(path, machine, cpu, pairs) == Difference("", "", 0, 0, 0, 0, 3)


OTHER_KERNEL = """
import runpy
import sys
import onnx
import onnxruntime

session = onnxruntime.InferenceSession

def other_kernel(path, *rest, **more):
    model = onnx.load_model(path)
    for tensor in model.graph.initializer:
        if tensor.name == "trunk.14.conv.2.bias_quantized":
            values = onnx.numpy_helper.to_array(tensor) + 3000
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    return session(model.SerializeToString(), *rest, **more)

onnxruntime.InferenceSession = other_kernel
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass(frozen=True)
class OtherMachine(SameMachine):
    """This processor with one convolution that answers otherwise."""

    def python(self, cpu: str) -> list[str]:
        script = self.folder / "other.py"
        script.write_text(OTHER_KERNEL)
        return [sys.executable, str(script)]


def test_an_int8_file_outside_its_limit_is_told_with_its_operator(
    exported: Exported,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("benchmarks.arm.machine.obstacle", str)
    monkeypatch.setattr("benchmarks.arm.machine.arm_machine", OtherMachine)
    out = tmp_path / "arm.json"
    words = ["arm", str(exported.artifacts), "--folder", str(tmp_path), "--images", "1"]
    words += ["--cpu", "other", "--json", str(out)]
    assert run_program("benchmarks", "", VERB, words) == 1
    said = capsys.readouterr().err
    assert "it differs first in Conv trunk.14.conv.2: " in said
    float_row, int8_row = json.loads(out.read_text())["rows"]
    assert (float_row["passed"], float_row["first"]) == (True, None)
    assert not int8_row["passed"]
    first = int8_row["first"]
    assert (first["operator"], first["layer"]) == ("Conv", "trunk.14.conv.2")
    assert 0 < first["values"] <= first["of"]
    assert first["tensors"] > 1
