"""The teacher's projection head: trained on the frozen teacher's features, then frozen too.

The published article's sample code never trains it. Here it learns to find, among the images of a
batch, the one that a turned view was made of (SSKD, cross-entropy of the raw cosine similarities).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from distill import losses
from distill.augment import make_views
from distill.checkpoint import save_tensors
from distill.models import Classifier
from distill.recipes import HeadStage
from distill.tasks import ProjectionHead
from distill.train import Context, Stopped
from runtimes.console import note, progress
from runtimes.errors import InputError

HEAD_FILE = "head.safetensors"
_VIEWS = 4
_IMAGES_AT_ONCE = 32


def train_head(
    teacher: Classifier, stage: HeadStage, folder: Path, context: Context
) -> ProjectionHead:
    """Trains the projection head on fixed views and writes head.safetensors.

    The teacher is frozen and the views are drawn once, so the features of each view are computed
    once: `draws` sets of four views of each image, which the epochs take in turn.

    Args:
        teacher: the fine-tuned teacher, on the device.
        stage: epochs, batch, learning rate and draws.
        folder: the teacher's run folder.
        context: data and device.

    Raises:
        Stopped: the deadline passed before the head was done.
    """
    device = context.images.device
    torch.manual_seed(context.seed)
    head = ProjectionHead(teacher.width).to(device)
    rows = context.dataset.rows("train")
    if stage.images is not None:
        order = np.random.Generator(np.random.PCG64([context.seed])).permutation(len(rows))
        rows = rows[np.sort(order[: stage.images])]
    features = _features(teacher.eval(), stage, rows, context)
    optimizer = torch.optim.SGD(head.parameters(), lr=stage.lr, momentum=0.9, weight_decay=1e-4)
    steps = max(1, len(rows) // stage.batch)
    loss = torch.zeros(())
    with progress("training the projection head", stage.epochs * steps) as bar:
        for epoch in range(stage.epochs):
            passed = sum(epoch >= milestone for milestone in stage.milestones)
            for group in optimizer.param_groups:
                group["lr"] = stage.lr * 0.1**passed
            drawn = features[epoch % stage.draws]
            order = np.random.Generator(np.random.PCG64([context.seed, epoch])).permutation(
                len(rows)
            )
            for step in range(steps):
                chosen = order[step * stage.batch : (step + 1) * stage.batch]
                pooled = drawn[torch.from_numpy(chosen).to(device)].flatten(0, 1).float()
                loss = losses.contrastive_teacher_loss(losses.similarity(head(pooled)))
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                bar.advance()
            if context.deadline.passed():
                raise Stopped("stopped while the projection head was trained; it starts anew.")
    note(f"projection head: cross-entropy of the last batch {float(loss.detach()):.3f}")
    save_tensors(folder / HEAD_FILE, head.state_dict(), {"width": str(teacher.width)})
    return head


def load_head(folder: Path, width: int) -> ProjectionHead | None:
    """Returns the trained head of a teacher's run folder; None where there is none.

    Raises:
        InputError: the file holds a head of another width.
    """
    path = folder / HEAD_FILE
    if not path.exists():
        return None
    head = ProjectionHead(width)
    try:
        head.load_state_dict(load_file(path))
    except Exception as error:
        raise InputError(f"{path} is not a projection head of width {width}: {error}") from error
    return head.eval()


@torch.no_grad()
def _features(teacher: Classifier, stage: HeadStage, rows: np.ndarray, context: Context) -> Tensor:
    """Pooled features of the drawn views, (draws, images, 4, C) in half precision."""
    device = context.images.device
    found = torch.empty((stage.draws, len(rows), _VIEWS, teacher.width), dtype=torch.float16)
    found = found.to(device)
    index = torch.from_numpy(rows).to(device)
    with progress("teacher's features", stage.draws * len(rows)) as bar:
        for draw in range(stage.draws):
            for start in range(0, len(rows), _IMAGES_AT_ONCE):
                seeds = np.random.SeedSequence([context.seed, draw, start]).generate_state(1)
                generator = torch.Generator(device).manual_seed(int(seeds[0]))
                pixels = context.images.batch(index[start : start + _IMAGES_AT_ONCE])
                views = make_views(pixels, stage.size, _VIEWS, context.augmentation, generator)
                enabled = context.precision != torch.float32
                with torch.autocast(device.type, context.precision, enabled=enabled):
                    pooled = teacher(views).pooled
                grouped = pooled.unflatten(0, (-1, _VIEWS)).half()
                found[draw, start : start + len(pixels)] = grouped
                bar.advance(len(pixels))
                if context.deadline.passed():
                    raise Stopped("stopped while features were computed; they start anew.")
    return found
