"""The teacher's projection head: trained on the frozen teacher's features, then frozen too.

The published article's sample code never trains it. Here it learns to find, among the images of a
batch, the one that a turned view was made of (SSKD, cross-entropy of the raw cosine similarities).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from distill import losses
from distill.augment import make_views
from distill.checkpoint import load_tensors, save_tensors, weights_sha256
from distill.models import Classifier
from distill.parallel import any_process, rank_and_world
from distill.recipes import HeadStage
from distill.settings import plain
from distill.tasks import ProjectionHead
from distill.train import Context, Stopped
from runtimes.console import note, progress

HEAD_FILE = "head.safetensors"
_VIEWS = 4
_IMAGES_AT_ONCE = 32


def trained_head(
    teacher: Classifier, stage: HeadStage, folder: Path, context: Context
) -> ProjectionHead:
    """Returns the teacher's projection head: the one in its folder, or a newly trained one.

    A head that was trained for other teacher weights or with other settings is not taken. With
    several processes the first one trains it and the others read it.

    Args:
        teacher: the fine-tuned teacher, on the device.
        stage: epochs, batch, learning rate and draws.
        folder: the teacher's run folder, where head.safetensors is kept.
        context: data and device.

    Raises:
        Stopped: the deadline passed before the head was done.
    """
    key = _key(teacher, stage, context)
    if not _is_kept(folder / HEAD_FILE, key) and rank_and_world()[0] == 0:
        head = _train(teacher, stage, context)
        stopped = head is None
        if head is not None:
            save_tensors(folder / HEAD_FILE, head.state_dict(), {"key": key})
    else:
        stopped = False
    if any_process(stopped, context.images.device):
        raise Stopped("stopped before the projection head was done; --resume begins it anew.")
    tensors, _ = load_tensors(folder / HEAD_FILE)
    head = ProjectionHead(teacher.width)
    head.load_state_dict(tensors)
    return head.eval().to(context.images.device)


def _is_kept(path: Path, key: str) -> bool:
    return path.exists() and load_tensors(path)[1].get("key") == key


def _key(teacher: Classifier, stage: HeadStage, context: Context) -> str:
    """Hashes what the head depends on: the teacher's weights, the settings, split and seed."""
    settings = [plain(stage), plain(context.augmentation), context.seed]
    about = [weights_sha256(teacher), settings, context.dataset.split.sha256]
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()


def _train(teacher: Classifier, stage: HeadStage, context: Context) -> ProjectionHead | None:
    """Trains the head on fixed views, whose features are computed once; None if it was stopped."""
    device = context.images.device
    torch.manual_seed(context.seed)
    head = ProjectionHead(teacher.width).to(device)
    rows = context.dataset.rows("train")
    if stage.images is not None:
        order = np.random.Generator(np.random.PCG64([context.seed])).permutation(len(rows))
        rows = rows[np.sort(order[: stage.images])]
    features = _features(teacher.eval(), stage, rows, context)
    if features is None:
        return None
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
                return None
    note(f"projection head: cross-entropy of the last batch {float(loss.detach()):.3f}")
    return head


@torch.no_grad()
def _features(
    teacher: Classifier, stage: HeadStage, rows: np.ndarray, context: Context
) -> Tensor | None:
    """Pooled features of the drawn views, (draws, images, 4, C) float16; None if stopped."""
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
                    return None
    return found
