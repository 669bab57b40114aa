"""How good a classifier is: metrics with 95 % intervals from a bootstrap over lesions."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from distill.scores import Scores, weighted_scores
from runtimes.errors import InputError

SCALARS = (
    "accuracy",
    "balanced_accuracy",
    "mean_average_precision",
    "macro_auc",
    "calibration_error",
)
PER_CLASS = ("sensitivity", "specificity", "average_precision", "auc")
_CONFIDENCE = 0.95
_CELLS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Estimate:
    """A metric and its 95 % interval; all None where no image of the class exists."""

    value: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.value is None or self.low is None or self.high is None:
            return "–"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class ClassMetrics:
    """One class against the rest."""

    images: int
    sensitivity: Estimate
    specificity: Estimate
    average_precision: Estimate
    auc: Estimate


@dataclass(frozen=True)
class Metrics:
    """What `evaluate` found; macro averages are over the classes that have images."""

    images: int
    lesions: int
    replicates: int
    seed: int
    accuracy: Estimate
    balanced_accuracy: Estimate
    mean_average_precision: Estimate
    macro_auc: Estimate
    calibration_error: Estimate
    per_class: dict[str, ClassMetrics]
    confusion: tuple[tuple[int, ...], ...]  # rows are the true class, columns the predicted one

    def to_json(self) -> dict[str, Any]:
        """Returns the metrics as plain values, ready for `write_json`."""
        return {"interval": _CONFIDENCE, "resampled": "lesions", **asdict(self)}

    def scalars(self) -> dict[str, Estimate]:
        """Returns the five scalar metrics by name."""
        return {name: getattr(self, name) for name in SCALARS}


def evaluate(
    probabilities: np.ndarray,
    target: np.ndarray,
    groups: Sequence[Hashable],
    classes: Sequence[str],
    replicates: int = 1000,
    seed: int = 0,
) -> Metrics:
    """Returns the metrics of one classifier, with percentile intervals.

    A replicate draws as many lesions as there are, with replacement, and takes all images of
    each. A class that a replicate misses is left out of that replicate's macro averages and of
    the interval of that class. The calibration error of a replicate is too large on average,
    since resampled bins differ more from their means; its interval can lie above the value.

    Args:
        probabilities: p, (N, K), each from 0 to 1.
        target: class numbers, (N,).
        groups: the lesion of each image, N values; "" or None is a lesion of its own.
        classes: the K class codes in the order of the columns.
        replicates: number of bootstrap replicates.
        seed: seed of the resampling.

    Raises:
        InputError: shapes differ, no image, a probability outside 0 to 1, an unknown class.
    """
    found = resample(probabilities, target, groups, classes, replicates, seed)
    target = np.asarray(target)
    whole, drawn = found.whole, found.drawn
    per_class = {
        code: ClassMetrics(
            images=int((target == k).sum()),
            **{name: estimate(whole[name][k], drawn[name][:, k]) for name in PER_CLASS},
        )
        for k, code in enumerate(classes)
    }
    return Metrics(
        images=len(target),
        lesions=found.lesions,
        replicates=replicates,
        seed=seed,
        per_class=per_class,
        confusion=found.confusion,
        **{name: estimate(whole[name], drawn[name]) for name in SCALARS},
    )


@dataclass(frozen=True)
class Resampled:
    """A classifier's metrics on all images and on the same resamples of lesions as any other's.

    Attributes:
        whole: metric to its value on all images, 0-dim, or (K,) for those of each class.
        drawn: metric to its values on R resamples, (R,) or (R, K).
        confusion: on all images; rows are the true class.
        lesions: how many there are.
    """

    whole: dict[str, np.ndarray]
    drawn: dict[str, np.ndarray]
    confusion: tuple[tuple[int, ...], ...]
    lesions: int


def resample(
    probabilities: np.ndarray,
    target: np.ndarray,
    groups: Sequence[Hashable],
    classes: Sequence[str],
    replicates: int = 1000,
    seed: int = 0,
) -> Resampled:
    """Measures a classifier on all images and on resampled lesions; see `evaluate`.

    Two classifiers on the same images with the same seed see the same resamples, in order.
    """
    probabilities, target = _checked(probabilities, target, groups, classes, replicates)
    members = lesion_numbers(groups)
    measured = weighted_scores(probabilities, target, np.ones((1, len(target))))
    drawn = _join(
        weighted_scores(probabilities, target, weights)
        for weights in resampled_weights(members, replicates, seed)
    )
    return Resampled(
        whole={name: getattr(measured, name)[0] for name in SCALARS + PER_CLASS},
        drawn=drawn,
        confusion=tuple(tuple(int(cell) for cell in row) for row in measured.confusion[0]),
        lesions=int(members.max()) + 1,
    )


def mean_estimates(runs: Sequence[Resampled]) -> dict[str, Estimate]:
    """Returns the scalar metrics, averaged over runs; the interval is over lesions alone."""
    return {
        name: estimate(
            np.mean([run.whole[name] for run in runs]),
            np.mean([run.drawn[name] for run in runs], axis=0),
        )
        for name in SCALARS
    }


def mean_differences(
    first: Sequence[Resampled], second: Sequence[Resampled]
) -> dict[str, Estimate]:
    """Returns second minus first of the scalar metrics, each averaged over its runs.

    Paired over lesions: all runs saw the same resamples.
    """
    return {
        name: estimate(
            np.mean([run.whole[name] for run in second])
            - np.mean([run.whole[name] for run in first]),
            np.mean([run.drawn[name] for run in second], axis=0)
            - np.mean([run.drawn[name] for run in first], axis=0),
        )
        for name in SCALARS
    }


def paired_difference(
    first: np.ndarray,
    second: np.ndarray,
    target: np.ndarray,
    groups: Sequence[Hashable],
    classes: Sequence[str],
    replicates: int = 1000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Returns second minus first of each scalar metric and of each class's sensitivity.

    Both classifiers are measured on the same resampled lesions, so what makes a lesion hard for
    both cancels and the interval is that of the difference.

    Args:
        first: probabilities of one classifier, (N, K).
        second: probabilities of the other on the same images, (N, K).
        target: class numbers, (N,).
        groups: the lesion of each image, N values; "" or None is a lesion of its own.
        classes: the K class codes in the order of the columns.
        replicates: number of bootstrap replicates.
        seed: seed of the resampling.

    Returns:
        Estimates by name: the scalar metrics, and "sensitivity CODE" for each class.

    Raises:
        InputError: as `evaluate`.
    """
    before, after = (
        resample(p, target, groups, classes, replicates, seed) for p in (first, second)
    )
    differences = mean_differences([before], [after])
    values = after.whole["sensitivity"] - before.whole["sensitivity"]
    drawn = after.drawn["sensitivity"] - before.drawn["sensitivity"]
    for k, code in enumerate(classes):
        differences[f"sensitivity {code}"] = estimate(values[k], drawn[:, k])
    return differences


def _checked(
    probabilities: np.ndarray,
    target: np.ndarray,
    groups: Sequence[Hashable],
    classes: Sequence[str],
    replicates: int,
) -> tuple[np.ndarray, np.ndarray]:
    probabilities, target = np.asarray(probabilities, dtype=np.float64), np.asarray(target)
    expected = (len(target), len(classes))
    if probabilities.shape != expected or len(groups) != len(target) or target.ndim != 1:
        raise InputError(
            f"metrics need probabilities (images, classes) = {expected}, a class and a lesion for "
            f"each image; got probabilities {probabilities.shape}, classes of shape "
            f"{target.shape}, {len(groups)} lesions."
        )
    if not len(target):
        raise InputError("metrics need at least one image; the split has none on this side.")
    if replicates < 1:
        raise InputError(f"the bootstrap needs at least one replicate, got {replicates}.")
    if target.dtype.kind not in "iu" or target.min() < 0 or target.max() >= len(classes):
        raise InputError(
            f"classes must be whole numbers from 0 to {len(classes) - 1} "
            f"({', '.join(classes)}), got values from {target.min()} to {target.max()}."
        )
    inside = (probabilities >= 0) & (probabilities <= 1 + 1e-6)
    if not inside.all():
        row = int(np.flatnonzero(~inside.all(axis=1))[0])
        raise InputError(
            f"probabilities must lie between 0 and 1; image number {row} has "
            f"{probabilities[row].tolist()}. Pass the softmax of the logits, and look for a "
            "diverged training if they are no numbers."
        )
    return probabilities, target


def lesion_numbers(groups: Sequence[Hashable]) -> np.ndarray:
    """Returns the number of each image's lesion, (N,), from 0; "" or None is one of its own."""
    numbers: dict[Hashable, int] = {}
    own = [(position,) if group in ("", None) else group for position, group in enumerate(groups)]
    return np.array([numbers.setdefault(group, len(numbers)) for group in own])


def resampled_weights(members: np.ndarray, replicates: int, seed: int) -> Iterator[np.ndarray]:
    """Yields weights (r, N) of the images in replicates of lesions, a few replicates at a time."""
    generator = np.random.default_rng(seed)
    lesions = int(members.max()) + 1
    at_once = max(1, _CELLS_AT_ONCE // len(members))
    for done in range(0, replicates, at_once):
        rows = min(at_once, replicates - done)
        drawn = generator.integers(lesions, size=(rows, lesions))
        drawn += np.arange(rows)[:, None] * lesions
        counts = np.bincount(drawn.ravel(), minlength=rows * lesions).reshape(rows, lesions)
        yield counts[:, members].astype(np.float64)


def _join(parts: Iterator[Scores]) -> dict[str, np.ndarray]:
    collected: dict[str, list[np.ndarray]] = {name: [] for name in SCALARS + PER_CLASS}
    for part in parts:
        for name, values in collected.items():
            values.append(getattr(part, name))
    return {name: np.concatenate(values) for name, values in collected.items()}


def estimate(value: float | np.ndarray, drawn: np.ndarray) -> Estimate:
    """Returns a value and the interval of its replicates (R,); NaN ones are left out."""
    defined = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not len(defined):
        return Estimate(None, None, None)
    edge = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(defined, (edge, 1 - edge))
    return Estimate(float(value), float(low), float(high))
