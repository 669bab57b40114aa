"""How well a score tells what a network does not know from what it does."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.bootstrap import with_interval
from distill.metrics import Estimate

TRUE_POSITIVES = 0.95


@dataclass(frozen=True)
class Detection:
    """A score on known images and on unknown ones, with intervals over lesions.

    Attributes:
        known: number of known images; `unknown` of the others.
        auroc: chance that an unknown image has the higher score, ties half.
        aupr: average precision with the unknown images as positives.
        fpr95: share of known images above the threshold that 95 % of the unknown ones reach.
    """

    known: int
    unknown: int
    auroc: Estimate
    aupr: Estimate
    fpr95: Estimate

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def measure_detection(
    known: np.ndarray,
    unknown: np.ndarray,
    groups: Sequence[Hashable],
    unknown_groups: Sequence[Hashable] | None = None,
) -> Detection:
    """Measures scores of known images (N,) and of unknown ones (M,); unknown ones score higher.

    Args:
        known: scores of images that the network should answer.
        unknown: scores of images that it should not.
        groups: lesions of the known images.
        unknown_groups: of the unknown ones; each image on its own by default.
    """
    score = np.concatenate([known, unknown])
    positive = np.r_[np.zeros(len(known), bool), np.ones(len(unknown), bool)]
    others = unknown_groups or [("unknown", i) for i in range(len(unknown))]
    all_groups = [*_apart(groups), *others]
    curve = _Curve(score, positive)
    return Detection(
        known=len(known),
        unknown=len(unknown),
        auroc=with_interval(curve.auroc, all_groups),
        aupr=with_interval(curve.aupr, all_groups),
        fpr95=with_interval(curve.fpr95, all_groups),
    )


def auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    """Returns the area under the ROC curve alone, of scores (N,) and (M,)."""
    score = np.concatenate([known, unknown])
    positive = np.r_[np.zeros(len(known), bool), np.ones(len(unknown), bool)]
    return float(_Curve(score, positive).auroc(np.ones((1, len(score))))[0])


@dataclass(frozen=True)
class RiskCoverage:
    """Error rate among the images that are answered, from the most to the least known.

    Attributes:
        coverage: shares of the images that are answered.
        risk: error rate among them.
        area: mean risk over all coverages (AURC), with interval.
        optimal: the same if every wrong answer were withheld first.
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    area: Estimate
    optimal: float


def measure_risk_coverage(
    scores: np.ndarray, right: np.ndarray, groups: Sequence[Hashable], points: int = 41
) -> RiskCoverage:
    """Measures what withholding answers by a score (N,) does to the error rate.

    Args:
        scores: higher is withheld first.
        right: bool (N,), whether the answer would be right.
        groups: lesions.
        points: of the curve that is kept.
    """
    order = np.argsort(scores, kind="stable")
    wrong = (~right).astype(float)

    def area(weights: np.ndarray) -> np.ndarray:
        taken = weights[:, order].cumsum(axis=1)
        errors = (weights[:, order] * wrong[order]).cumsum(axis=1)
        risk = np.divide(errors, taken, out=np.zeros_like(errors), where=taken > 0)
        return np.asarray((risk * weights[:, order]).sum(axis=1) / weights.sum(axis=1))

    count = np.arange(1, len(order) + 1)
    risk = wrong[order].cumsum() / count
    places = np.unique(np.linspace(1, len(order), points).round().astype(int)) - 1
    best = np.sort(wrong).cumsum() / count
    return RiskCoverage(
        coverage=tuple(float(count[k] / len(order)) for k in places),
        risk=tuple(float(risk[k]) for k in places),
        area=with_interval(area, groups),
        optimal=float(best.mean()),
    )


class _Curve:
    """Ranked scores, counted with any weights; equal scores are one threshold."""

    def __init__(self, score: np.ndarray, positive: np.ndarray) -> None:
        self._order = np.argsort(-score, kind="stable")
        ranked = score[self._order]
        self._positive = positive[self._order].astype(float)
        self._starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])

    def _counts(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positives and negatives at each threshold, (R, U)."""
        ordered = weights[:, self._order]
        hits = np.add.reduceat(ordered * self._positive, self._starts, axis=1)
        return hits, np.add.reduceat(ordered, self._starts, axis=1) - hits

    def auroc(self, weights: np.ndarray) -> np.ndarray:
        hits, misses = self._counts(weights)
        above = hits.cumsum(axis=1) - 0.5 * hits
        pairs = hits.sum(axis=1) * misses.sum(axis=1)
        won = (misses * above).sum(axis=1)
        return np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0)

    def aupr(self, weights: np.ndarray) -> np.ndarray:
        hits, misses = self._counts(weights)
        so_far, taken = hits.cumsum(axis=1), (hits + misses).cumsum(axis=1)
        precision = np.divide(so_far, taken, out=np.zeros_like(so_far), where=taken > 0)
        total = hits.sum(axis=1)
        found = (hits * precision).sum(axis=1)
        return np.divide(found, total, out=np.full(len(found), np.nan), where=total > 0)

    def fpr95(self, weights: np.ndarray) -> np.ndarray:
        hits, misses = self._counts(weights)
        found, false = hits.cumsum(axis=1), misses.cumsum(axis=1)
        reached = found >= TRUE_POSITIVES * found[:, -1:] - 1e-9
        place = reached.argmax(axis=1)
        rows = np.arange(len(weights))
        total = false[:, -1]
        share = np.full(len(weights), np.nan)
        return np.divide(false[rows, place], total, out=share, where=total > 0)


def _apart(groups: Sequence[Hashable]) -> list[Hashable]:
    return [group if group not in ("", None) else ("own", i) for i, group in enumerate(groups)]
