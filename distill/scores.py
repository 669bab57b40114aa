"""Classification metrics under many weightings of the same images at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Scores:
    """Metrics of R weightings; a metric is NaN where its class has no (or only) weight.

    Macro averages are over the classes that are defined, as scikit-learn's balanced accuracy is.
    """

    accuracy: np.ndarray  # (R,)
    balanced_accuracy: np.ndarray  # (R,)
    mean_average_precision: np.ndarray  # (R,)
    macro_auc: np.ndarray  # (R,)
    calibration_error: np.ndarray  # (R,)
    sensitivity: np.ndarray  # (R, K)
    specificity: np.ndarray  # (R, K)
    average_precision: np.ndarray  # (R, K)
    auc: np.ndarray  # (R, K)
    confusion: np.ndarray  # (R, K, K), rows are the true class


def weighted_scores(probabilities: np.ndarray, target: np.ndarray, weights: np.ndarray) -> Scores:
    """Returns the metrics of each weighting: all ones for the data, counts for a resample.

    scikit-learn gives the same figures one weighting at a time, which is too slow for a
    bootstrap: here one sort serves all weightings.

    Args:
        probabilities: (N, K).
        target: class numbers, (N,).
        weights: how often each image counts, (R, N) float64.
    """
    n, classes = probabilities.shape
    predicted = probabilities.argmax(axis=1)
    cells = np.zeros((n, classes * classes))
    cells[np.arange(n), target * classes + predicted] = 1.0
    confusion = (weights @ cells).reshape(-1, classes, classes)
    hits = np.einsum("rkk->rk", confusion)
    positives, total = confusion.sum(axis=2), confusion.sum(axis=(1, 2))
    false_alarms = confusion.sum(axis=1) - hits
    sensitivity = _share(hits, positives)
    specificity = 1.0 - _share(false_alarms, total[:, None] - positives)
    ranked = [_ranking(probabilities[:, k], target == k, weights) for k in range(classes)]
    average_precision = np.stack([precision for precision, _ in ranked], axis=1)
    auc = np.stack([area for _, area in ranked], axis=1)
    return Scores(
        accuracy=_share(hits.sum(axis=1), total),
        balanced_accuracy=_mean_of_defined(sensitivity),
        mean_average_precision=_mean_of_defined(average_precision),
        macro_auc=_mean_of_defined(auc),
        calibration_error=_calibration_error(probabilities, predicted == target, weights),
        sensitivity=sensitivity,
        specificity=specificity,
        average_precision=average_precision,
        auc=auc,
        confusion=confusion,
    )


def _ranking(
    score: np.ndarray, positive: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Average precision and area under the ROC curve of one class against the rest, both (R,)."""
    order = np.argsort(-score, kind="stable")
    score, positive = score[order], positive[order]
    ordered = weights[:, order]
    # Equal scores are one threshold: they count together, as in scikit-learn.
    starts = np.flatnonzero(np.r_[True, score[1:] != score[:-1]])
    hits = ordered * positive
    if len(starts) < len(score):
        hits, ordered = (np.add.reduceat(values, starts, axis=1) for values in (hits, ordered))
    retrieved = ordered.cumsum(axis=1)
    hits_so_far = hits.cumsum(axis=1)
    positives, total = hits_so_far[:, -1], retrieved[:, -1]
    precision = np.divide(hits_so_far, retrieved, out=np.zeros_like(hits), where=retrieved > 0)
    # Each negative loses to the positives above it, and to half of those at its own threshold.
    above = hits_so_far - 0.5 * hits
    won = np.einsum("ru,ru->r", ordered - hits, above)
    average_precision = _share(np.einsum("ru,ru->r", hits, precision), positives)
    return average_precision, _share(won, positives * (total - positives))


def _calibration_error(
    probabilities: np.ndarray, right: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Expected calibration error over bins (i/15, (i+1)/15] of the largest probability."""
    confidence = probabilities.max(axis=1)
    place = np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1
    bins = np.zeros((len(confidence), CALIBRATION_BINS))
    bins[np.arange(len(confidence)), place.clip(0, CALIBRATION_BINS - 1)] = right - confidence
    return _share(np.abs(weights @ bins).sum(axis=1), weights.sum(axis=1))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    whole = np.broadcast_to(whole, part.shape)
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _mean_of_defined(values: np.ndarray) -> np.ndarray:
    defined = ~np.isnan(values)
    return _share(np.where(defined, values, 0.0).sum(axis=1), defined.sum(axis=1))
