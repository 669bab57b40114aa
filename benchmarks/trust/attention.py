"""Where a network looked: its class maps beside lesion masks and pasted artefacts.

The map of the class that the network names, enlarged bilinearly and then without its negative
part, as the demo draws it; Grad-CAM's authors cut the negative part off before they enlarge. With a
global average and one linear layer the class map is Grad-CAM of the last map (Selvaraju et al.
2017), up to a factor that all figures here are free of.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.bootstrap import mean_of, with_interval
from distill.metrics import Estimate

FIGURES = ("energy", "pointing", "iou", "agreement")
_THRESHOLDS = np.linspace(0.05, 0.95, 19)


@dataclass(frozen=True)
class Looked:
    """Figures of N images; NaN where the map is nowhere positive.

    Attributes:
        energy: share of the map's sum that lies inside the lesion.
        pointing: 1 where its maximum lies inside, else 0 (pointing game, Zhang et al. 2018, here
            without their margin of 15 pixels; the first of equal maxima counts).
        iou: intersection over union of the lesion and the map above a share of its maximum.
        agreement: Pearson's correlation with the teacher's map of the same class; NaN without one.
    """

    energy: np.ndarray
    pointing: np.ndarray
    iou: np.ndarray
    agreement: np.ndarray


def shown_maps(maps: np.ndarray, classes: np.ndarray, side: int) -> np.ndarray:
    """Returns the positive part of one class map an image, enlarged bilinearly, (N, side, side).

    Args:
        maps: class maps, (N, h, w, K).
        classes: whose map is taken, (N,).
        side: of the result in pixels.
    """
    chosen = maps[np.arange(len(maps)), :, :, classes]
    tensor = torch.from_numpy(np.ascontiguousarray(chosen, dtype=np.float32))[:, None]
    large = F.interpolate(tensor, (side, side), mode="bilinear", align_corners=False)
    return np.asarray(large[:, 0].clamp_min(0).numpy())


def look(
    shown: np.ndarray, masks: np.ndarray, threshold: float, teacher: np.ndarray | None = None
) -> Looked:
    """Measures maps (N, E, E), none negative, against masks, bool (N, E, E).

    Args:
        shown: see `shown_maps`.
        masks: of the lesions.
        threshold: share of the map's maximum from which on a pixel counts for the IoU.
        teacher: its maps of the same classes, (N, E, E).
    """
    flat, inside = shown.reshape(len(shown), -1).astype(np.float64), masks.reshape(len(masks), -1)
    total, top = flat.sum(axis=1), flat.max(axis=1)
    seen = top > 0
    rows = np.arange(len(flat))

    def known(values: np.ndarray) -> np.ndarray:
        return np.where(seen, values, np.nan)

    agreement = np.full(len(flat), np.nan)
    if teacher is not None:
        agreement = _correlation(flat, teacher.reshape(len(flat), -1).astype(np.float64))
    return Looked(
        energy=known((flat * inside).sum(axis=1) / np.where(seen, total, 1)),
        pointing=known(inside[rows, flat.argmax(axis=1)].astype(float)),
        iou=known(overlap(flat, inside, threshold)),
        agreement=agreement,
    )


def overlap(shown: np.ndarray, inside: np.ndarray, threshold: float) -> np.ndarray:
    """Returns intersection over union (N,) of maps (N, P) above a share of their maxima."""
    marked = shown >= threshold * np.maximum(shown.max(axis=1, keepdims=True), 1e-30)
    union = (marked | inside).sum(axis=1)
    return np.asarray((marked & inside).sum(axis=1) / np.maximum(union, 1))


def best_threshold(shown: np.ndarray, masks: np.ndarray) -> float:
    """Returns the share of the maximum with the largest mean IoU; for images kept for choosing."""
    flat, inside = shown.reshape(len(shown), -1), masks.reshape(len(masks), -1)
    means = [overlap(flat, inside, threshold).mean() for threshold in _THRESHOLDS]
    return float(_THRESHOLDS[int(np.argmax(means))])


def summary(found: Looked, groups: Sequence[Hashable]) -> dict[str, Estimate]:
    """Means with intervals over lesions."""
    return {name: with_interval(mean_of(getattr(found, name)), groups) for name in FIGURES}


def loss(before: Looked, after: Looked, groups: Sequence[Hashable]) -> dict[str, Estimate]:
    """Before minus after, paired over lesions: what an artefact costs."""
    return {
        name: with_interval(mean_of(getattr(before, name) - getattr(after, name)), groups)
        for name in FIGURES
    }


def energy_on(shown: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Returns the share (N,) of each map's sum that lies on `pixels`, bool (N, E, E)."""
    total = shown.sum(axis=(1, 2), dtype=np.float64)
    on = (shown * pixels).sum(axis=(1, 2), dtype=np.float64)
    return np.divide(on, total, out=np.full(len(shown), np.nan), where=total > 0)


def plain(found: dict[str, Estimate]) -> dict[str, Any]:
    """Plain values."""
    return {name: dict(vars(value)) for name, value in found.items()}


def _correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    first = first - first.mean(axis=1, keepdims=True)
    second = second - second.mean(axis=1, keepdims=True)
    size = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    product = (first * second).sum(axis=1)
    return np.divide(product, size, out=np.full(len(first), np.nan), where=size > 0)
