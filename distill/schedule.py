"""What is trained when: epochs cut from phases, and the learning rate of every step."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from distill.recipes import Phase, Stage


@dataclass(frozen=True)
class Epoch:
    """One pass, or the fraction of one, over the training split.

    Attributes:
        number: from 0, over all phases.
        phase: its phase.
        steps: optimizer steps.
        before: steps of all earlier epochs.
        phase_steps: steps of its phase.
        before_in_phase: steps of the phase's earlier epochs.
        last_size: whether it belongs to the size that training ends with.
    """

    number: int
    phase: Phase
    steps: int
    before: int
    phase_steps: int
    before_in_phase: int
    last_size: bool


def plan_epochs(phases: tuple[Phase, ...], images: int) -> tuple[Epoch, ...]:
    """Cuts phases into epochs; the last epoch of a phase may be a fraction.

    A step takes a whole batch (BatchNorm and the relational terms depend on its size), so the rest
    of a shuffled split that fills none waits for the next epoch.
    """
    plan: list[Epoch] = []
    before = 0
    for phase in phases:
        whole = max(1, images // phase.batch)
        left = in_phase = max(1, round(phase.epochs * whole))
        while left > 0:
            steps = min(whole, left)
            same_size = phase.size == phases[-1].size
            done = in_phase - left
            plan.append(Epoch(len(plan), phase, steps, before, in_phase, done, same_size))
            before, left = before + steps, left - steps
    return tuple(plan)


@dataclass
class LearningRate:
    """The learning rate of a stage; its state is two numbers, kept in checkpoints."""

    stage: Stage
    factor: float = 1.0
    best: float = math.inf
    waited: int = field(default=0)

    def at(self, step: int, epoch: Epoch) -> float:
        """Learning rate of a step, counted from 0 in its epoch."""
        stage = self.stage
        if stage.schedule == "cosine":
            highest, step = stage.lr * epoch.phase.lr_scale, step + epoch.before_in_phase
            warm = round(stage.warmup * epoch.phase_steps)
            if step < warm:
                return highest * (0.1 + 0.9 * step / warm)
            share = (step - warm) / (epoch.phase_steps - warm)
            return highest * 0.5 * (1 + math.cos(math.pi * share))
        if stage.schedule == "steps":
            passed = sum(epoch.number >= milestone for milestone in stage.milestones)
            return float(stage.lr * stage.factor**passed)
        return max(stage.lr * self.factor, stage.lr_floor)

    def epoch_ended(self, validation_loss: float) -> None:
        """Lets "plateau" see the weighted validation loss of an epoch."""
        if validation_loss < self.best:
            self.best, self.waited = validation_loss, 0
        else:
            self.waited += 1
            if self.waited > self.stage.patience:
                self.factor, self.waited = self.factor * self.stage.factor, 0

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"factor": self.factor, "best": _finite(self.best), "waited": self.waited}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        self.factor, self.waited = float(state["factor"]), int(state["waited"])
        self.best = math.inf if state["best"] is None else float(state["best"])


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
