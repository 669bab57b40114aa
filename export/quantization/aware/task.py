"""The task of fine-tuning for int8: answer as the float student does, rounded as the files are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distill import losses
from distill.inference import predict_logits
from distill.models import PIXEL_SCALE, Features
from distill.schedule import Epoch
from distill.tasks import FrozenTeacher, Task
from distill.train import Context, scores
from export.deployable import Deployable


@dataclass(frozen=True)
class Signals:
    """What the rounded student learns from, and how much each term weighs.

    Attributes:
        student: divergence from the float student's logits.
        student_temperature: T of that term.
        last_map: squared error of the last map, as a share of the float student's squares.
        teacher: divergence from the teacher's logits; no term without a teacher.
        teacher_temperature: T of that term.
        labels: weighted cross-entropy; no term without a teacher.
    """

    student: float = 1.0
    student_temperature: float = 1.0
    last_map: float = 1.0
    teacher: float = 0.05
    teacher_temperature: float = 4.0
    labels: float = 0.01


class DeployedClassifier(nn.Module):
    """A deployable module that answers normalised views, with the features that losses compare."""

    class_weight: Tensor
    class_bias: Tensor

    def __init__(self, deployable: Deployable) -> None:
        super().__init__()
        self.trunk = deployable.trunk
        weight = deployable.class_weight.detach()[:, :, 0, 0]
        self.register_buffer("class_weight", weight, persistent=False)
        self.register_buffer("class_bias", deployable.class_bias.detach(), persistent=False)

    def forward(self, views: Tensor) -> Features:
        """Normalised views (n, 3, S, S), seen in whole grey levels, as a file sees pixels."""
        last_map = self.trunk(torch.round(views * PIXEL_SCALE))
        pooled = last_map.mean(dim=(2, 3))
        return Features(last_map, pooled, F.linear(pooled, self.class_weight, self.class_bias))


def frozen(model: nn.Module) -> Callable[[Tensor], Features]:
    """Returns the model's answers without gradients; no optimizer or state_dict reaches it."""
    model = model.eval().requires_grad_(False)

    @torch.no_grad()
    def answer(views: Tensor) -> Features:
        found: Features = model(views)
        return found

    return answer


class AwareTask(Task):
    """A student with fake quantization, and what it is compared with.

    Attributes:
        model: the student, whose trunk rounds.
        method: what a training state must have in common with the settings to go on from it.
    """

    def __init__(
        self,
        model: DeployedClassifier,
        exact: Callable[[Tensor], Features],
        signals: Signals,
        class_weight: Tensor,
        teacher: FrozenTeacher | None,
        settings: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.model = model
        self.teacher = teacher
        self.method = {**asdict(signals), **settings}
        self._exact, self._signals = exact, signals
        self.register_buffer("class_weight", class_weight, persistent=False)

    def forward(self, views: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Weighted terms of views (n, 3, S, S), one an image, of the classes (n,)."""
        signals, exact = self._signals, self._exact(views)
        found: Features = self.model(views)
        temperature = signals.student_temperature
        error = (found.last_map - exact.last_map).pow(2).mean() / exact.last_map.pow(2).mean()
        terms = {
            "student": signals.student
            * losses.distillation(found.logits, exact.logits, temperature),
            "last_map": signals.last_map * error,
        }
        if self.teacher is not None:
            teacher, _ = self.teacher(views)
            temperature = signals.teacher_temperature
            kd = losses.distillation(found.logits, teacher.logits, temperature)
            wce = losses.weighted_cross_entropy(found.logits, target, self.class_weight)
            terms |= {"teacher": signals.teacher * kd, "labels": signals.labels * wce}
        return terms


@dataclass(frozen=True)
class Judge:
    """Compares the rounded student with the float one on validation images.

    Attributes:
        rows: cache rows of the images, (n,).
        target: their classes, (n,).
        logits: the float student's, (n, K).
        temperature: T of the probabilities that the files give.
    """

    rows: np.ndarray
    target: Tensor
    logits: Tensor
    temperature: float

    def __call__(self, task: Task, epoch: Epoch, context: Context) -> dict[str, float]:
        """Scores of the labels, mean KL(float ‖ rounded) in nats, and share of equal diagnoses."""
        found = predict_logits(task.model, context.images, self.rows, epoch.phase.size)
        exact, rounded = self.logits / self.temperature, found / self.temperature
        return {
            **scores(found, self.target, task.class_weight.cpu()),
            "divergence": float(losses.distillation(rounded, exact, 1.0)),
            "agreement": float((found.argmax(1) == self.logits.argmax(1)).double().mean()),
        }
