"""The gate: a written file is opened by its own runtime and compared with torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.formats import Format, Tolerance
from runtimes.contract import Contract
from runtimes.prediction import Prediction
from runtimes.session import open_model


@dataclass(frozen=True)
class Comparison:
    """How far a file's answers are from torch's on N images.

    Attributes:
        images: N.
        probability: largest absolute difference of a probability.
        mean_probability: mean absolute difference of a probability.
        agreement: share of images with the same first diagnosis.
        cam: root mean square difference of the class maps, in units of that of torch's own.
        unknown: the same for the unknown scores.
    """

    images: int
    probability: float
    mean_probability: float
    agreement: float
    cam: float
    unknown: float

    def to_json(self) -> dict[str, Any]:
        """Returns the numbers by name; an infinite one, which JSON has no word for, as None."""
        return {key: value if np.isfinite(value) else None for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Verdict:
    """How a file compares, which limits it breaks (none: it passed), and what really ran it."""

    comparison: Comparison
    faults: tuple[str, ...]
    backend: str


def verify_file(
    path: Path,
    form: Format,
    contract: Contract,
    images: np.ndarray,
    reference: Prediction,
    threads: int = 1,
) -> Verdict:
    """Opens a file and compares its answers with torch's.

    Args:
        path: the written file.
        form: its row in the table, with the tolerance.
        contract: what the file has to carry.
        images: verification images, uint8 (N, S, S, 3).
        reference: torch's answers to them.
        threads: threads of the runtime.

    Raises:
        InputError: its own runtime refuses the file.
    """
    session = open_model(path, threads)
    comparison = compare(reference, session.predict(images))
    faults = outside(comparison, form.tolerance)
    if session.contract != contract:
        faults.append("the contract read back from the file is another one")
    return Verdict(comparison, tuple(faults), session.backend)


def compare(reference: Prediction, found: Prediction) -> Comparison:
    """Compares two predictions for the same images; not-a-number anywhere counts as infinity."""
    difference = np.abs(found.probabilities - reference.probabilities)
    same = found.probabilities.argmax(axis=1) == reference.probabilities.argmax(axis=1)
    return Comparison(
        images=len(same),
        probability=_finite(difference.max()),
        mean_probability=_finite(difference.mean()),
        agreement=float(same.mean()),
        cam=_relative(found.cam, reference.cam),
        unknown=_relative(found.unknown, reference.unknown),
    )


def outside(comparison: Comparison, tolerance: Tolerance) -> list[str]:
    """Returns a clause for every limit that a comparison breaks; none means passed."""
    faults = []
    limit = tolerance.probability
    if limit is not None and comparison.probability > limit:
        faults.append(f"a probability differs by {comparison.probability:.2g}, allowed {limit:g}")
    if comparison.agreement < tolerance.agreement:
        faults.append(
            f"same first diagnosis for {100 * comparison.agreement:.1f} % of the images, "
            f"needed {100 * tolerance.agreement:g} %"
        )
    if not np.isfinite(comparison.probability):
        faults.append("a probability is not a number")
    for name in ("cam", "unknown"):
        value = getattr(comparison, name)
        if value > tolerance.maps:
            faults.append(f"{name} differs by {value:.2g} (relative), allowed {tolerance.maps:g}")
    return faults


def _relative(found: np.ndarray, reference: np.ndarray) -> float:
    if found.shape != reference.shape:
        return float("inf")
    size = float(np.sqrt(np.mean(np.square(reference, dtype=np.float64))))
    error = float(np.sqrt(np.mean(np.square(found.astype(np.float64) - reference))))
    return _finite(error / size if size > 0 else error)


def _finite(value: float) -> float:
    return float(value) if np.isfinite(value) else float("inf")
