"""Core ML files: every operator is carried out and looked at, and a plan becomes a back end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("coremltools", reason="needs the coreml group")

from benchmarks.commands import coreml as command
from benchmarks.coreml.check import CoreMLCheck, check_package
from benchmarks.coreml.plan import (
    CPU,
    GPU,
    NEURAL_ENGINE,
    Planned,
    planned_back_end,
    planned_operators,
)
from runtimes.console import Verb, run_program
from runtimes.coremltools_import import import_coremltools
from runtimes.mil_elementwise import ELEMENTWISE
from runtimes.mil_program import OPERATORS

VERB = (Verb("coreml", "", command.__name__),)
_SIDE = 8
_WEIGHT = np.full((4, 3, 1, 1), 0.01, np.float32)


def _small(mb: Any, x: Any) -> Any:
    found = mb.relu(x=mb.conv(x=x, weight=_WEIGHT.astype(np.float16)))
    return mb.softmax(x=mb.reduce_mean(x=found, axes=[2, 3]), axis=1)


def _package(folder: Path, build: Callable[[Any, Any], Any]) -> Path:
    coremltools = import_coremltools()
    from coremltools.converters.mil.mil import Builder, types

    @Builder.program(
        input_specs=[Builder.TensorSpec((1, 3, _SIDE, _SIDE), dtype=types.fp16)],
        opset_version=coremltools.target.iOS16,
    )
    def program(x: Any) -> Any:
        return build(Builder, x)

    path = folder / "small.mlpackage"
    coremltools.convert(
        program,
        minimum_deployment_target=coremltools.target.iOS16,
        pass_pipeline=coremltools.PassPipeline.EMPTY,
        skip_model_load=True,
    ).save(str(path))
    return path


def _of(check: CoreMLCheck) -> dict[str, int]:
    return {kind.kind: kind.number for kind in check.kinds}


def test_every_operator_is_carried_out_with_the_shape_that_is_declared(tmp_path: Path) -> None:
    check = check_package(_package(tmp_path, _small), 2)
    assert check.passed
    assert _of(check) == {"conv": 1, "relu": 1, "reduce_mean": 1, "softmax": 1}
    assert all(kind.known and kind.units == {} for kind in check.kinds)
    # The golden pictures go to 255: three channels of 0.01 give at most 7.65.
    conv = next(kind for kind in check.kinds if kind.kind == "conv")
    assert conv.headroom is not None
    assert 65504 / 7.7 < conv.headroom < 65504 / 2


def test_operators_that_are_not_known_are_all_named(tmp_path: Path) -> None:
    check = check_package(
        _package(tmp_path, lambda mb, x: mb.cumsum(x=mb.topk(x=x, k=2)[0], axis=0)), 1
    )
    assert not check.passed
    assert {kind.kind for kind in check.kinds if not kind.known} >= {"cumsum", "topk"}
    assert "does not know cumsum, topk" in check.fault


def test_an_overflow_is_found_at_its_operator(tmp_path: Path) -> None:
    check = check_package(
        _package(tmp_path, lambda mb, x: mb.relu(x=mb.mul(x=x, y=np.float16(60000)))), 1
    )
    assert {kind.kind: kind.not_finite for kind in check.kinds} == {"mul": 1, "relu": 1}
    assert not check.passed


def test_a_result_of_another_shape_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = _package(tmp_path, _small)
    right = ELEMENTWISE["relu"]
    monkeypatch.setitem(OPERATORS, "relu", lambda given: right(given)[..., :-1])  # type: ignore[index]
    check = check_package(package, 2)
    wrong = {kind.kind: kind.wrong_shapes for kind in check.kinds}
    assert wrong == {"conv": 0, "relu": 2, "reduce_mean": 0, "softmax": 0}
    assert not check.passed


def test_quantized_weights_are_named_as_what_is_done_at_load(tmp_path: Path) -> None:
    coremltools = import_coremltools()
    optimize = coremltools.optimize.coreml
    model = coremltools.models.MLModel(str(_package(tmp_path, _small)), skip_model_load=True)
    linear = optimize.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=0)
    path = tmp_path / "quantized.mlpackage"
    optimize.linear_quantize_weights(model, optimize.OptimizationConfig(linear)).save(str(path))
    check = check_package(path, 1)
    assert check.passed
    assert check.constants == {"constexpr_affine_dequantize": 1}


def test_the_verb_says_what_is_wrong_and_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = _package(tmp_path, _small)
    out = tmp_path / "coreml.json"
    assert run_program("benchmarks", "", VERB, ["coreml", str(good), "--json", str(out)]) == 0
    kept = json.loads(out.read_text())
    assert [(file["file"], file["passed"]) for file in kept["files"]] == [("small.mlpackage", True)]
    assert "conv" in capsys.readouterr().out
    bad = _package(tmp_path, lambda mb, x: mb.mul(x=x, y=np.float16(60000)))
    assert run_program("benchmarks", "", VERB, ["coreml", str(bad)]) == 1
    assert "mul gave 2 results that are not finite" in capsys.readouterr().err
    (tmp_path / "a.onnx").touch()
    assert run_program("benchmarks", "", VERB, ["coreml", str(tmp_path / "a.onnx")]) == 2
    assert run_program("benchmarks", "", VERB, ["coreml", str(good), "--images", "9"]) == 2


# Core ML itself is not here: these stand for what coremltools gives on macOS, with its own classes
# where they can be made.
class MLNeuralEngineComputeDevice:
    pass


class MLCPUComputeDevice:
    pass


@dataclass
class _Plan:
    usages: dict[str, Any] = field(default_factory=dict)

    def get_compute_device_usage_for_mlprogram_operation(self, operation: Any) -> Any:
        return self.usages.get(operation.operator_name)

    def get_estimated_cost_for_mlprogram_operation(self, operation: Any) -> Any:
        from coremltools.models.compute_plan import MLComputePlanCost

        return MLComputePlanCost(0.25) if operation.operator_name == "ios16.conv" else None


def test_a_plan_is_read_operator_by_operator() -> None:
    from coremltools.models import compute_plan

    def operation(name: str) -> Any:
        return compute_plan.MLModelStructureProgramOperation({}, name, [], [], None)

    block = compute_plan.MLModelStructureProgramBlock(
        [], [operation("const"), operation("ios16.conv"), operation("ios16.softmax")], []
    )
    function = compute_plan.MLModelStructureProgramFunction([], block)
    program = compute_plan.MLModelStructureProgram({"main": function})
    engine, cpu = MLNeuralEngineComputeDevice(), MLCPUComputeDevice()
    usage: Any = compute_plan.MLComputePlanDeviceUsage
    plan = _Plan(
        {"ios16.conv": usage(engine, [cpu, engine]), "ios16.softmax": usage(cpu, [cpu, object()])}
    )
    assert planned_operators(plan, program) == (
        Planned("conv", NEURAL_ENGINE, (CPU, NEURAL_ENGINE), 0.25),
        Planned("softmax", CPU, (CPU, "not told"), None),
    )


def test_a_plan_tells_what_the_neural_engine_leaves() -> None:
    units = (NEURAL_ENGINE, NEURAL_ENGINE, CPU, GPU, CPU)
    kinds = ("conv", "add", "cast", "softmax", "cast")
    found = planned_back_end(
        [Planned(kind, unit, (), None) for kind, unit in zip(kinds, units, strict=True)]
    )
    assert found.ran == "planned: Neural Engine 2/5 operators, CPU 2, GPU 1"
    assert (found.covered, found.operators) == (2, 5)
    assert found.left == {"cast": 2, "softmax": 1}
    assert planned_back_end(()).ran == "Core ML, unit not told"
