"""How far a file's answers may be from torch's: the release gate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from distill.models import Classifier
from export.formats import Format


@dataclass(frozen=True)
class Deviation:
    """How far a file's answers are from torch's.

    Attributes:
        probability: largest difference of any probability.
        agreement: share of images with torch's first diagnosis.
        balanced_accuracy: the file's minus torch's, as a share of 1; None where it is undefined.
    """

    probability: float
    agreement: float
    balanced_accuracy: float | None


@dataclass(frozen=True)
class Gate:
    """Limits of one precision.

    Attributes:
        probability: largest difference of any probability; None where it does not decide.
        agreement: smallest share of images with torch's first diagnosis; None likewise.
        balanced_accuracy: largest difference of balanced accuracy, as a share of 1; None likewise.
    """

    probability: float | None = None
    agreement: float | None = None
    balanced_accuracy: float | None = None

    def faults(self, row: Deviation) -> tuple[str, ...]:
        """Says what is outside, and by how much."""
        found = []
        if self.probability is not None and row.probability > self.probability:
            found.append(f"a probability differs by {row.probability:.2g}, allowed "
                         f"{self.probability:.2g}")  # fmt: skip
        if self.agreement is not None and row.agreement < self.agreement:
            share = math.floor(1e4 * row.agreement + 1e-6) / 100  # never shown as the limit itself
            found.append(f"{share:.2f} % of the first diagnoses agree, required "
                         f"{100 * self.agreement:.2f} %")  # fmt: skip
        difference, limit = row.balanced_accuracy, self.balanced_accuracy
        if limit is not None and difference is not None and abs(difference) > limit:
            found.append(f"balanced accuracy differs by {100 * difference:+.2f} points, allowed "
                         f"{100 * limit:.2f}")  # fmt: skip
        return tuple(found)


_EXACT = Gate(probability=1e-4)
_HALF = Gate(agreement=0.999)
_INT8 = Gate(agreement=0.985, balanced_accuracy=0.003)
# Squeeze-excitation and SiLU round worse; the limit is that of the project's goals.
_INT8_EFFICIENTNET = Gate(agreement=0.97, balanced_accuracy=0.010)


def gate_for(form: Format, classifier: Classifier) -> Gate:
    """Returns the gate of a format for an architecture."""
    if form.precision == "fp32":
        return _EXACT
    if form.precision == "fp16":
        return _HALF
    return _INT8_EFFICIENTNET if classifier.architecture.startswith("efficientnet") else _INT8
