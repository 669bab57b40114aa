"""Where melanoma is called: thresholds found on validation images, told on test images."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.bootstrap import share_of, with_interval
from distill.metrics import Estimate
from runtimes.errors import InputError

SENSITIVITIES = (0.90, 0.95)
MELANOMA = "MEL"


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold of the probability of one class, and what it means on the test side.

    Attributes:
        code: of the class.
        aim: sensitivity that the threshold has on the validation side.
        threshold: the class is called where its probability is at or above it.
        sensitivity: on the test side.
        specificity: on the test side.
        called: share of all test images.
    """

    code: str
    aim: float
    threshold: float
    sensitivity: Estimate
    specificity: Estimate
    called: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def find_threshold(scores: np.ndarray, aim: float) -> float:
    """Returns the highest threshold that at least `aim` of the scores (n,) reach.

    Raises:
        InputError: there is no score: the class has no image on that side.
    """
    if not len(scores):
        raise InputError(
            "the validation side has no image of the class, so there is no threshold with a known "
            "sensitivity. Use a split with images of it on every side."
        )
    place = int(np.floor((1 - aim) * len(scores) + 1e-9))
    return float(np.sort(scores)[place])


def measure_operating_points(
    validation: np.ndarray,
    validation_target: np.ndarray,
    test: np.ndarray,
    target: np.ndarray,
    groups: Sequence[Hashable],
    classes: Sequence[str],
    code: str = MELANOMA,
) -> tuple[OperatingPoint, ...]:
    """Finds a threshold for each aim on the validation side, and measures it on the test side.

    Args:
        validation: calibrated probabilities, (N, K).
        validation_target: class numbers, (N,).
        test: calibrated probabilities, (M, K).
        target: class numbers, (M,).
        groups: lesions of the test side.
        classes: the K codes.
        code: the class that must not be missed.

    Raises:
        InputError: the class is not known, or has no validation image.
    """
    if code not in classes:
        raise InputError(f"{code} is none of the classes {', '.join(classes)}.")
    column = list(classes).index(code)
    own = validation[validation_target == column, column]
    if not len(own):
        raise InputError(
            f"the validation side has no image of {code}, so no threshold can be found for it. "
            "Use a split with images of it on every side."
        )
    positive, points = target == column, []
    for aim in SENSITIVITIES:
        threshold = find_threshold(own, aim)
        called = test[:, column] >= threshold
        points.append(
            OperatingPoint(
                code=code,
                aim=aim,
                threshold=threshold,
                sensitivity=with_interval(share_of(called, positive), groups),
                specificity=with_interval(share_of(~called, ~positive), groups),
                called=float(called.mean()),
            )
        )
    return tuple(points)
