"""The gate: what a written file answers in its own runtime is compared with torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.formats import Format, Tolerance
from runtimes.contract import Contract
from runtimes.hashes import size_of
from runtimes.metadata import read_contract
from runtimes.prediction import Prediction

_AT_THRESHOLD = 0.1


@dataclass(frozen=True)
class Comparison:
    """How far a file's answers are from torch's on N images.

    Attributes:
        images: N.
        probability: largest absolute difference of a probability.
        mean_probability: mean absolute difference of a probability.
        agreement: share of images with the same first diagnosis.
        agreement_low: lower end of its 95 % interval (Wilson), images taken as independent.
        agreement_high: upper end.
        decisions: share of images that both take as known, or both as unknown; one whose score
            lies at the threshold (within a tenth of the unit below) may go either way.
        cam: root mean square difference of the class maps, in units of the standard deviation of
            torch's own, or of a twentieth of their root mean square where that is more.
        unknown: the same for the unknown scores.
    """

    images: int
    probability: float
    mean_probability: float
    agreement: float
    agreement_low: float
    agreement_high: float
    decisions: float
    cam: float
    unknown: float

    def to_json(self) -> dict[str, Any]:
        """Returns the numbers by name; an infinite one, which JSON has no word for, as None."""
        return {key: value if np.isfinite(value) else None for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Verdict:
    """How a file compares, and a clause for every limit that it breaks (none: it passed)."""

    comparison: Comparison
    faults: tuple[str, ...]


def verify_file(
    path: Path,
    form: Format,
    contract: Contract,
    answers: Prediction,
    reference: Prediction,
    parameters: int,
    in_float: int = 0,
) -> Verdict:
    """Compares a file's answers with torch's, and looks at its size, contract and operators.

    Args:
        path: the written file.
        form: its row in the table, with the tolerance.
        contract: what the file has to carry.
        answers: the file's to the verification images, by its own runtime.
        reference: torch's.
        parameters: of the network, which tell how large the file may be.
        in_float: parameters that are in float32 on purpose.

    Raises:
        InputError: its contract cannot be read.
    """
    from export.tflite_shape import shape_findings  # brings torch, which comparing does not need

    comparison = compare(reference, answers, contract.calibration.unknown_threshold)
    faults = outside(comparison, form.tolerance)
    size, largest = size_of(path), form.largest_file(parameters, in_float)
    if size > largest:
        faults.append(
            f"{size / 1e6:.2f} MB, allowed {largest / 1e6:.2f} MB for {parameters / 1e6:.2f} M "
            f"parameters of {form.weight_bytes} bytes: its weights are not {form.precision}"
        )
    if form.family == "tflite" and form.rounds_activations:
        faults += [str(each) for each in shape_findings(path.read_bytes()) if each.avoidable]
    if read_contract(path) != contract:
        faults.append("the contract read back from the file is another one")
    return Verdict(comparison, tuple(faults))


def compare(reference: Prediction, found: Prediction, threshold: float) -> Comparison:
    """Compares two predictions for the same images; not-a-number anywhere counts as infinity.

    Args:
        reference: torch's.
        found: the file's.
        threshold: unknown score above which an image is answered "unknown".
    """
    difference = np.abs(found.probabilities - reference.probabilities)
    same = found.probabilities.argmax(axis=1) == reference.probabilities.argmax(axis=1)
    decided = (found.unknown > threshold) == (reference.unknown > threshold)
    margin = _AT_THRESHOLD * _unit(reference.unknown)
    decided |= np.abs(reference.unknown - threshold) < margin
    low, high = interval_of_share(same)
    return Comparison(
        images=len(same),
        probability=_finite(difference.max()),
        mean_probability=_finite(difference.mean()),
        agreement=float(same.mean()),
        agreement_low=low,
        agreement_high=high,
        decisions=float(decided.mean()),
        cam=_relative(found.cam, reference.cam),
        unknown=_relative(found.unknown, reference.unknown),
    )


def interval_of_share(same: np.ndarray) -> tuple[float, float]:
    """Returns the 95 % interval (Wilson) of a share, of bool (N,); images taken as independent."""
    from scipy.stats import binomtest

    interval = binomtest(int(same.sum()), len(same)).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def outside(comparison: Comparison, tolerance: Tolerance) -> list[str]:
    """Returns a clause for every limit that a comparison breaks; none means passed."""
    faults = []
    limit = tolerance.probability
    if limit is not None and comparison.probability > limit:
        faults.append(f"a probability differs by {comparison.probability:.2g}, allowed {limit:g}")
    limit = tolerance.mean_probability
    if limit is not None and comparison.mean_probability > limit:
        mean = comparison.mean_probability
        faults.append(f"probabilities differ by {mean:.2g} on average, allowed {limit:g}")
    for what, share, needed in (
        ("first diagnosis", comparison.agreement, tolerance.agreement),
        ("answer to whether it is known", comparison.decisions, tolerance.decisions),
    ):
        if share < needed:
            faults.append(
                f"same {what} for {100 * share:.1f} % of the images, needed {100 * needed:g} %"
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
    error = float(np.sqrt(np.mean(np.square(found.astype(np.float64) - reference))))
    return _finite(error / _unit(reference))


def _unit(reference: np.ndarray) -> float:
    """Standard deviation, or a twentieth of the root mean square where answers hardly differ."""
    size = float(np.sqrt(np.mean(np.square(reference, dtype=np.float64))))
    return max(float(np.std(reference, dtype=np.float64)), size / 20) or 1.0


def _finite(value: float) -> float:
    return float(value) if np.isfinite(value) else float("inf")
