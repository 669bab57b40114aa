"""How far probabilities can be taken at their word, before and after scaling.

ECE is over 15 bins of equal width (Guo et al. 2017), adaptive ECE over 15 bins of equally many
images (Nguyen and O'Connor 2015), both of the largest probability. The Brier score is the sum over
classes, from 0 to 2; the likelihood is in nats.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.bootstrap import Figure, mean_of, with_interval
from distill.metrics import Estimate
from runtimes.errors import InputError

BINS = 15
_SMALLEST = 1e-12
_STEPS = 100


@dataclass(frozen=True)
class Bin:
    """Images whose largest probability lies in a bin of the reliability diagram."""

    images: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibrated:
    """How well one set of probabilities is calibrated.

    Attributes:
        ece: expected calibration error, bins of equal width.
        adaptive_ece: the same, bins of equally many images.
        brier: Brier score.
        nll: negative log-likelihood.
        bins: of the reliability diagram, equal width, empty ones left out.
    """

    ece: Estimate
    adaptive_ece: Estimate
    brier: Estimate
    nll: Estimate
    bins: tuple[Bin, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def measure_calibration(
    probabilities: np.ndarray, target: np.ndarray, groups: Sequence[Hashable]
) -> Calibrated:
    """Measures probabilities (N, K), whose rows sum to 1, against class numbers (N,)."""
    probabilities = np.asarray(probabilities, dtype=np.float64)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == target
    rows = np.arange(len(target))
    told = probabilities[rows, target]
    square = (probabilities**2).sum(axis=1) - 2 * told + 1
    even = _even_bins(confidence)
    return Calibrated(
        ece=with_interval(_gap(confidence, right, even), groups),
        adaptive_ece=with_interval(_gap(confidence, right, _full_bins(confidence)), groups),
        brier=with_interval(mean_of(square), groups),
        nll=with_interval(mean_of(-np.log(np.maximum(told, _SMALLEST))), groups),
        bins=tuple(
            Bin(int(own.sum()), float(confidence[own].mean()), float(right[own].mean()))
            for number in range(BINS)
            if (own := even == number).any()
        ),
    )


def uncalibrated(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Returns softmax(z) of softmax(z / T), which a file with T inside gives, (N, K)."""
    logits = temperature * np.log(np.maximum(np.asarray(probabilities, np.float64), 1e-37))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class VectorScaling:
    """softmax(z · scale + shift), one scale and shift a class (Guo et al. 2017).

    Attributes:
        scale: (K,).
        shift: (K,).
    """

    scale: np.ndarray
    shift: np.ndarray

    def apply(self, logits: np.ndarray) -> np.ndarray:
        """Returns probabilities (N, K)."""
        scaled = logits * self.scale + self.shift
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_vector(logits: np.ndarray, target: np.ndarray) -> VectorScaling:
    """Fits vector scaling by maximum likelihood; it starts at no scaling.

    Args:
        logits: z of the validation images, (N, K).
        target: class numbers, (N,).

    Raises:
        InputError: a class has no image, so nothing can be fitted for it.
    """
    import torch

    classes = logits.shape[1]
    absent = sorted(set(range(classes)) - set(np.unique(target).tolist()))
    if absent:
        raise InputError(
            f"vector scaling needs validation images of every class; the classes number "
            f"{', '.join(map(str, absent))} have none."
        )
    z = torch.from_numpy(np.asarray(logits, np.float64))
    y = torch.from_numpy(np.asarray(target, np.int64))
    scale = torch.ones(classes, dtype=torch.float64, requires_grad=True)
    shift = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([scale, shift], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(z * scale + shift, y)
        value.backward()
        return value

    optimizer.step(loss)
    return VectorScaling(scale.detach().numpy(), shift.detach().numpy())


def _gap(confidence: np.ndarray, right: np.ndarray, place: np.ndarray) -> Figure:
    cells = np.zeros((len(place), BINS))
    cells[np.arange(len(place)), place] = right - confidence

    def figure(weights: np.ndarray) -> np.ndarray:
        return np.asarray(np.abs(weights @ cells).sum(axis=1) / weights.sum(axis=1))

    return figure


def _even_bins(confidence: np.ndarray) -> np.ndarray:
    """Bins (i/15, (i+1)/15]."""
    return (np.ceil(confidence * BINS).astype(int) - 1).clip(0, BINS - 1)


def _full_bins(confidence: np.ndarray) -> np.ndarray:
    rank = np.argsort(np.argsort(confidence, kind="stable"), kind="stable")
    return rank * BINS // len(confidence)
