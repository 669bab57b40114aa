"""Logits of a classifier over one side of a data set, on the evaluation view."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from distill.augment import plain_view
from distill.dataset import DeviceImages
from runtimes.console import Progress, progress

_BATCH = 128


@torch.no_grad()
def predict_logits(
    model: nn.Module,
    images: DeviceImages,
    rows: np.ndarray,
    size: int,
    precision: torch.dtype = torch.float32,
    what: str | None = None,
) -> Tensor:
    """Returns logits (n, K) float32 on the CPU; the model's mode is left as it was.

    Args:
        model: a classifier that returns `Features`, on the device of `images`.
        images: the decoded data set.
        rows: cache rows, (n,).
        size: edge of the network's input in pixels.
        precision: float32, or bfloat16 for autocast.
        what: shows progress under this name; none within another one.
    """
    was_training = model.training
    model.eval()
    device = images.device
    index = torch.from_numpy(rows).to(device)
    found = []
    shown: AbstractContextManager[Progress | None]
    shown = nullcontext() if what is None else progress(what, len(rows))
    with shown as bar, torch.autocast(device.type, precision, enabled=precision != torch.float32):
        for part in index.split(_BATCH):
            found.append(model(plain_view(images.batch(part), size)).logits.float())
            if bar is not None:
                bar.advance(len(part))
    model.train(was_training)
    return torch.cat(found).cpu()
