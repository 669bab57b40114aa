"""Core ML's own plan: on which unit it means to run each operator; macOS 14.4 and later.

Read with coremltools' `MLComputePlan`, which asks Core ML itself. It is a plan: which unit a call
then used, Core ML tells nobody. Only `read_plan` needs macOS.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.latency.coverage import BackEnd

NEURAL_ENGINE, GPU, CPU, NOT_TOLD = "Neural Engine", "GPU", "CPU", "not told"
_UNITS = {
    "MLNeuralEngineComputeDevice": NEURAL_ENGINE,
    "MLGPUComputeDevice": GPU,
    "MLCPUComputeDevice": CPU,
}
_ASKED = "all compute units"


@dataclass(frozen=True)
class Planned:
    """One operator of the compiled program.

    Attributes:
        kind: as MIL calls it, without the system that it came with.
        unit: that Core ML prefers for it.
        possible: all units that could run it.
        weight: its estimated share of the work; None where Core ML gives none.
    """

    kind: str
    unit: str
    possible: tuple[str, ...]
    weight: float | None


def read_plan(model: Any) -> tuple[Planned, ...]:
    """Returns the plan of a model that Core ML has loaded; () where it tells none.

    Args:
        model: coremltools' MLModel.
    """
    from coremltools.models.compute_plan import MLComputePlan

    try:
        plan = MLComputePlan.load_from_path(model.get_compiled_model_path())
    except Exception:  # an older macOS; the model runs all the same
        return ()
    program = plan.model_structure.program
    return () if program is None else planned_operators(plan, program)


def planned_operators(plan: Any, program: Any) -> tuple[Planned, ...]:
    """Returns what a plan says of a program's main function; constants have no unit.

    Args:
        plan: coremltools' MLComputePlan.
        program: its MLModelStructureProgram.
    """
    found = []
    for operation in program.functions["main"].block.operations:
        usage = plan.get_compute_device_usage_for_mlprogram_operation(operation)
        if usage is None:
            continue
        cost = plan.get_estimated_cost_for_mlprogram_operation(operation)
        found.append(
            Planned(
                kind=operation.operator_name.rpartition(".")[2],
                unit=_unit(usage.preferred_compute_device),
                possible=tuple(map(_unit, usage.supported_compute_devices)),
                weight=None if cost is None else float(cost.weight),
            )
        )
    return tuple(found)


def planned_back_end(planned: Sequence[Planned]) -> BackEnd:
    """Says how many operators the Neural Engine is to take, and what is left to which kinds."""
    if not planned:
        return BackEnd(asked=_ASKED, ran="Core ML, unit not told")
    units = Counter(each.unit for each in planned)
    taken = units.pop(NEURAL_ENGINE, 0)
    others = "".join(f", {unit} {count}" for unit, count in units.most_common())
    return BackEnd(
        asked=f"{_ASKED}, {NEURAL_ENGINE} first",
        ran=f"planned: {NEURAL_ENGINE} {taken}/{len(planned)} operators{others}",
        covered=taken,
        operators=len(planned),
        kinds=dict(Counter(each.kind for each in planned)),
        left=dict(Counter(each.kind for each in planned if each.unit != NEURAL_ENGINE)),
    )


def _unit(device: Any) -> str:
    return _UNITS.get(type(device).__name__, NOT_TOLD)
