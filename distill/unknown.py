"""How little an image looks like the training data: a score of pooled features and logits.

u = ‖a(f − c)‖² − ‖P(f − c)‖² − w · max z. The first two terms are the squared distance of
probabilistic PCA (Tipping and Bishop 1999): Mahalanobis' inside the r main directions of the
training features, and the remaining distance from them by its mean variance outside. Large logits
alone are no sign of knowledge, for pictures of anything at all have them too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from distill.checkpoint import load_tensors, save_tensors
from runtimes.errors import InputError

UNKNOWN_FILE = "unknown.safetensors"
_FORMAT = "dermport.unknown"
_SMALLEST_SHARE = 1e-9  # of the largest variance; less is float32's rounding


@dataclass(frozen=True)
class UnknownScore:
    """The numbers of the score; float32.

    Attributes:
        centre: c, mean of the training features, (C,).
        scale: a.
        projection: P, (r, C).
        share: w, of the largest logit.
    """

    centre: Tensor
    scale: float
    projection: Tensor
    share: float

    @property
    def rank(self) -> int:
        """r, the number of main directions."""
        return int(self.projection.shape[0])

    def of(self, pooled: Tensor, logits: Tensor) -> Tensor:
        """Returns u (N,) of pooled features (N, C) and logits (N, K)."""
        away = pooled * self.scale - self.centre * self.scale
        inside = torch.nn.functional.linear(away, self.projection * (1.0 / self.scale))
        distance = (away * away).sum(dim=1) - (inside * inside).sum(dim=1)
        return distance - self.share * logits.amax(dim=1)


@dataclass(frozen=True)
class Directions:
    """Where training features lie; float64.

    Attributes:
        centre: their mean, (C,).
        variances: from the largest, (C,).
        axes: in columns, (C, C).
    """

    centre: np.ndarray
    variances: np.ndarray
    axes: np.ndarray

    def allow(self, rank: int) -> bool:
        """Whether the features vary outside of so many main directions."""
        around = float(self.variances[rank:].mean()) if rank < len(self.variances) else 0.0
        return around > _SMALLEST_SHARE * float(self.variances[0])


def main_directions(pooled: np.ndarray) -> Directions:
    """Returns mean and principal axes of features (N, C)."""
    features = np.asarray(pooled, dtype=np.float64)
    centre = features.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov((features - centre).T))
    return Directions(centre, variances[::-1], axes[:, ::-1])


def fit_unknown(
    pooled: np.ndarray,
    logits: np.ndarray,
    rank: int,
    weight: float,
    known: Directions | None = None,
) -> UnknownScore:
    """Fits the score on training images.

    The distance and the largest logit are each divided by their standard deviation there.

    Args:
        pooled: f, (N, C).
        logits: z, (N, K).
        rank: r, at least 1 and less than C.
        weight: of the largest logit beside the distance; 0 leaves it out.
        known: `main_directions` of the same features, where they are at hand.

    Raises:
        InputError: too few images for the rank, or features that do not differ.
    """
    count, channels = pooled.shape
    if not 1 <= rank < min(count, channels):
        raise InputError(
            f"the unknown score's rank is {rank}; {count} images with {channels} features allow 1 "
            f"to {min(count, channels) - 1}. Give more images or a smaller rank."
        )
    known = known or main_directions(pooled)
    main, around = known.variances[:rank], float(known.variances[rank:].mean())
    if not known.allow(rank):
        raise InputError(
            "the training features lie in fewer directions than the unknown score's rank: the "
            "images are too much alike. Give more images or a smaller rank."
        )
    inverse = 1 / around
    stretch = np.sqrt(inverse - 1 / np.maximum(main, around))
    projection = stretch[:, None] * known.axes[:, :rank].T
    away = np.asarray(pooled, dtype=np.float64) - known.centre
    distance = inverse * (away**2).sum(axis=1) - ((away @ projection.T) ** 2).sum(axis=1)
    spread, unit = float(distance.std()), float(logits.max(axis=1).std())
    if not spread > 0 or (weight and not unit > 0):
        raise InputError(
            "all training images have the same features or logits; the student learnt nothing, and "
            "no unknown score can be fitted. Train it first."
        )
    return UnknownScore(
        centre=torch.from_numpy(known.centre.astype(np.float32)),
        scale=float(np.sqrt(inverse / spread)),
        projection=torch.from_numpy((projection / np.sqrt(spread)).astype(np.float32)),
        share=weight / unit if weight else 0.0,
    )


def save_unknown(path: Path, score: UnknownScore, student: str) -> None:
    """Writes a score beside its student.

    Args:
        path: unknown.safetensors.
        score: see `fit_unknown`.
        student: SHA-256 of the student's weights, whose features it is about.
    """
    header = {
        "format": _FORMAT,
        "student_sha256": student,
        "scale": repr(score.scale),
        "share": repr(score.share),
    }
    save_tensors(path, {"centre": score.centre, "projection": score.projection}, header)


def load_unknown(path: Path, student: str, channels: int) -> UnknownScore:
    """Reads a score and checks that it is the student's.

    Raises:
        InputError: no such file, a damaged one, or that of another student.
    """
    tensors, header = load_tensors(path)
    if header.get("format") != _FORMAT:
        raise InputError(f"{path} is no unknown score of this project; fit it again.")
    if header.get("student_sha256") != student:
        raise InputError(
            f"{path} was fitted on the features of another student "
            f"({header.get('student_sha256', '')[:12]}…, here {student[:12]}…). Fit it again with "
            "`python -m benchmarks trust RUN --adopt`."
        )
    try:
        centre, projection = tensors["centre"], tensors["projection"]
        scale, share = float(header["scale"]), float(header["share"])
    except (KeyError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error}); fit it again.") from error
    if centre.shape != (channels,) or projection.ndim != 2 or projection.shape[1] != channels:
        raise InputError(
            f"{path} is about {tuple(centre.shape)} features, the student has {channels}; fit it "
            "again."
        )
    return UnknownScore(centre, scale, projection, share)
