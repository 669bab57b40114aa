"""Temperature of the probabilities, and the threshold above which an image counts as unknown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runtimes.errors import InputError

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0


def fit_temperature(logits: np.ndarray, target: np.ndarray) -> float:
    """Returns the temperature T that gives softmax(z / T) the least negative log-likelihood.

    The likelihood is convex in 1/T, so bisection finds the one root of its slope. Where it has
    none (every image right, or nothing learnt) the answer is the nearer end of 0.05 to 20.

    Args:
        logits: z of the validation images, (N, K).
        target: class numbers, (N,).

    Returns:
        T, dimensionless; above 1 for an overconfident classifier.

    Raises:
        InputError: no image, shapes that differ, or logits that are no numbers.

    Source: Guo et al. 2017, temperature scaling.
    """
    logits, target = np.asarray(logits, dtype=np.float64), np.asarray(target)
    if logits.ndim != 2 or target.shape != logits.shape[:1] or not len(target):
        raise InputError(
            f"a temperature needs logits (images, classes) and one class for each of at least one "
            f"validation image, got shapes {logits.shape} and {target.shape}."
        )
    if not np.isfinite(logits).all():
        raise InputError(
            "a temperature cannot be fitted: some logits are infinite or no numbers. The training "
            "diverged; train again with a lower learning rate."
        )
    logits = logits - logits.max(axis=1, keepdims=True)
    right = logits[np.arange(len(target)), target].mean()

    def slope(inverse: float) -> float:
        powers = np.exp(logits * inverse)
        return float((powers * logits).sum(axis=1) @ (1 / powers.sum(axis=1))) / len(logits) - right

    low, high = 1 / HIGHEST_TEMPERATURE, 1 / LOWEST_TEMPERATURE
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 2 / (low + high)


def calibrated(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Returns softmax(z / T) of logits (N, K), in float64."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def unknown_threshold(scores: np.ndarray, accepted_share: float = 0.95) -> float:
    """Returns the lowest score at or below which at least this share of the scores lies.

    Args:
        scores: unknown scores of the validation images, (N,); higher is less like the data.
        accepted_share: the share of these images that is to be accepted, above 0 to 1.

    Raises:
        InputError: no score, a score that is no number, or a share outside its range.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or not len(scores) or not np.isfinite(scores).all():
        raise InputError(
            f"a threshold needs finite unknown scores of at least one validation image, got shape "
            f"{scores.shape} with {int((~np.isfinite(scores)).sum())} that are no numbers."
        )
    if not 0 < accepted_share <= 1:
        raise InputError(f"the accepted share must be above 0 and at most 1, got {accepted_share}.")
    # The margin keeps 0.55 · 100, which is 55.00000000000001 here, from becoming 56.
    place = int(np.ceil(accepted_share * len(scores) - 1e-9)) - 1
    return float(np.sort(scores)[max(place, 0)])


def accepted_sensitivity(
    probabilities: np.ndarray,
    target: np.ndarray,
    scores: np.ndarray,
    threshold: float,
    classes: Sequence[str],
) -> dict[str, float]:
    """Returns each class's sensitivity among the images whose score is at or below the threshold.

    Args:
        probabilities: p, (N, K).
        target: class numbers, (N,).
        scores: unknown scores, (N,).
        threshold: images above it are answered "unknown" and not counted.
        classes: the K class codes in the order of the columns.

    Returns:
        Sensitivity by class code; a class without an accepted image is not in it.
    """
    target, accepted = np.asarray(target), np.asarray(scores) <= threshold
    right = np.asarray(probabilities).argmax(axis=1) == target
    return {
        code: float(right[accepted & (target == k)].mean())
        for k, code in enumerate(classes)
        if (accepted & (target == k)).any()
    }
