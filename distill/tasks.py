"""Training tasks: modules that turn a batch of views into a dictionary of weighted loss terms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill import losses
from distill.models import Classifier, Features
from distill.parallel import gather, mean_over_processes
from distill.recipes import Method


class ProjectionHead(nn.Sequential):
    """Linear, ReLU, Linear on the pooled feature, all of its width (SSKD's head)."""

    def __init__(self, width: int) -> None:
        super().__init__(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))


class Adapter(nn.Sequential):
    """1×1 convolution, BatchNorm, ReLU: the student's last map to the teacher's channels."""

    def __init__(self, student_width: int, teacher_width: int) -> None:
        super().__init__(
            nn.Conv2d(student_width, teacher_width, 1, bias=False),
            nn.BatchNorm2d(teacher_width),
            nn.ReLU(),
        )


class FrozenTeacher:
    """A teacher that only answers: evaluation mode, no gradients, at the size it was trained at.

    Not a module, so that no optimizer, train() call or state_dict reaches it.
    """

    def __init__(self, model: Classifier, head: ProjectionHead | None, size: int) -> None:
        self.model = model.eval().requires_grad_(False)
        self.head = None if head is None else head.eval().requires_grad_(False)
        self.size = size

    @torch.no_grad()
    def __call__(self, views: Tensor) -> tuple[Features, Tensor | None]:
        """Features and projections of normalised views (n, 3, S, S)."""
        if views.shape[-1] != self.size:
            views = F.interpolate(
                views, (self.size, self.size), mode="bilinear", antialias=True, align_corners=False
            )
        features = self.model(views)
        projection = None if self.head is None else self.head(features.pooled)
        return features, projection


class Task(nn.Module):
    """What the loop trains: called with views and class numbers, it returns weighted terms.

    Attributes:
        model: what is trained and measured; it returns `Features`.
        class_weight: w_c of the weighted cross-entropy, (K,).
    """

    model: nn.Module
    class_weight: Tensor


class TeacherTask(Task):
    """Fine-tuning with weighted cross-entropy."""

    model: Classifier

    def __init__(self, model: Classifier, class_weight: Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("class_weight", class_weight, persistent=False)

    def forward(self, views: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Views (n, 3, S, S), one an image, and class numbers (n,) to {"wce": loss}."""
        logits, target = gather(self.model(views).logits), gather(target)
        return {"wce": losses.weighted_cross_entropy(logits, target, self.class_weight)}


class StudentTask(Task):
    """A student, its projection head and adapter, and the terms of a method.

    Attributes:
        model: the student.
        class_share: π, the share of each class among the training images, (K,).
        head: its projection head, where the method compares similarities.
        adapter: to the teacher's channels, where the method compares channels.
    """

    model: Classifier
    class_share: Tensor

    def __init__(
        self,
        model: Classifier,
        method: Method,
        class_weight: Tensor,
        teacher: FrozenTeacher | None,
        class_share: Tensor | None = None,
    ) -> None:
        super().__init__()
        if method.needs_teacher and teacher is None:
            raise ValueError(f"method {method.name} needs a teacher.")
        if method.needs_head and (teacher is None or teacher.head is None):
            raise ValueError(f"method {method.name} needs the teacher's trained projection head.")
        self.model = model
        self.method = method
        self.teacher = teacher if method.needs_teacher else None
        self.head = ProjectionHead(model.width) if method.needs_head else None
        self.adapter = (
            Adapter(model.width, teacher.model.width)
            if teacher is not None and "crkd" in method.terms
            else None
        )
        even = torch.full_like(class_weight, 1 / len(class_weight))
        self.register_buffer("class_weight", class_weight, persistent=False)
        share = even if class_share is None else class_share
        self.register_buffer("class_share", share, persistent=False)

    def forward(self, views: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Weighted terms of a batch.

        Args:
            views: (n·v, 3, S, S) normalised; the v = 4 or 1 views of an image stand together and
                the unturned one comes first.
            target: class numbers, (n,).

        Returns:
            Name to weight · term; with one view an image the terms over turned views are left out.
        """
        four = len(views) == 4 * len(target)
        student = self.model(views)
        logits, target = gather(student.logits), gather(target)
        upright = losses.unrotated(logits) if four else logits
        terms = self.method.terms
        found: dict[str, Tensor] = {}
        if "wce" in terms:
            found["wce"] = losses.weighted_cross_entropy(upright, target, self.class_weight)
        if "adjusted" in terms:
            every = target.repeat_interleave(4) if four else target
            found["adjusted"] = losses.adjusted_cross_entropy(
                logits, every, self.class_share, **terms["adjusted"].settings()
            )
        if self.teacher is not None:
            found |= self._compared(views, target, student, logits, four)
        return {name: terms[name].weight * value for name, value in found.items()}

    def _compared(
        self, views: Tensor, target: Tensor, student: Features, logits: Tensor, four: bool
    ) -> dict[str, Tensor]:
        assert self.teacher is not None
        terms, found = self.method.terms, {}
        teacher, projection = self.teacher(views)
        logits_t = gather(teacher.logits)
        if "kd" in terms:
            pair = (losses.unrotated(logits), losses.unrotated(logits_t)) if four else None
            upright, upright_t = pair or (logits, logits_t)
            found["kd"] = losses.distillation(upright, upright_t, **terms["kd"].settings())
        if "kd_standardized" in terms:
            found["kd_standardized"] = losses.standardized_distillation(
                logits, logits_t, **terms["kd_standardized"].settings()
            )
        if "kd_rotated" in terms and four:
            found["kd_rotated"] = losses.rotated_distillation(
                logits, logits_t, target, **terms["kd_rotated"].settings()
            )
        if "ss" in terms and four:
            assert self.head is not None
            assert projection is not None
            similarity_s = losses.similarity(gather(self.head(student.pooled)))
            similarity_t = losses.similarity(gather(projection))
            found["ss"] = losses.contrastive_distillation(
                similarity_s, similarity_t, **terms["ss"].settings()
            )
        if "drkd" in terms:
            found["drkd"] = losses.drkd(gather(student.pooled), gather(teacher.pooled))
        if self.adapter is not None:
            mean_square = losses.crkd_mean_square(self.adapter(student.last_map), teacher.last_map)
            found["crkd"] = losses.root_of_mean_square(mean_over_processes(mean_square))
        return found
