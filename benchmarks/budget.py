"""How long a budget takes on this machine: the loop's steps measured, the plan multiplied out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from benchmarks.training import measure_training
from distill.pipeline import student_stage
from distill.provenance import provenance
from distill.recipes import Phase, Recipe
from distill.schedule import plan_epochs


@dataclass(frozen=True)
class PhaseCost:
    """One phase of the student's training: its steps, and what one takes."""

    phase: Phase
    steps: int
    seconds_a_step: float

    @property
    def seconds(self) -> float:
        """Of the whole phase, validation left out."""
        return self.steps * self.seconds_a_step


@dataclass(frozen=True)
class BudgetCost:
    """The student's training under a budget; teacher, head and validation are not in it."""

    recipe: Recipe
    images: int
    device: str
    phases: tuple[PhaseCost, ...]

    @property
    def seconds(self) -> float:
        """Of all phases."""
        return sum(cost.seconds for cost in self.phases)

    def to_json(self) -> dict[str, Any]:
        """Plain values with versions and commit."""
        return {
            "method": self.recipe.method.name,
            "budget": self.recipe.budget.name,
            "pair": asdict(self.recipe.pair),
            "images": self.images,
            "device": self.device,
            "seconds": round(self.seconds, 1),
            "phases": [{**asdict(cost), "seconds": round(cost.seconds, 1)} for cost in self.phases],
            "provenance": provenance(),
        }


def measure_budget(
    recipe: Recipe, images: int, seconds: float, device: torch.device, precision: torch.dtype
) -> BudgetCost:
    """Measures a step of each phase for `seconds` and multiplies by the planned steps.

    Args:
        recipe: method, budget and pair; networks get random weights, pixels are random.
        images: of the training side.
        seconds: how long each phase is measured.
        device: where.
        precision: bfloat16 for autocast, or float32.
    """
    stage = student_stage(recipe)
    teacher_size = recipe.budget.teacher.phases[-1].size
    plan = plan_epochs(stage.phases, images)
    costs = []
    for phase in stage.phases:
        speed = measure_training(
            recipe.method,
            recipe.pair,
            size=phase.size,
            batch=phase.batch,
            cache=recipe.budget.cache,
            seconds=seconds,
            device=device,
            precision=precision,
            views=phase.views,
            teacher_size=teacher_size,
        )
        steps = sum(epoch.steps for epoch in plan if epoch.phase is phase)
        costs.append(PhaseCost(phase, steps, phase.batch / speed.loop_images_per_second))
    return BudgetCost(recipe, images, device.type, tuple(costs))
