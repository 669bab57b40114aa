"""What is fitted on the validation side: temperature, unknown score, thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.trust.ask import Setting, ask_held_out, ask_student
from benchmarks.trust.choose import Choice, choose
from benchmarks.trust.images import CHOOSING, REPORTING, side_rows
from benchmarks.trust.network import Known
from benchmarks.trust.operating import MELANOMA, OperatingPoint, measure_operating_points
from benchmarks.trust.question import Question, held_out_folders
from benchmarks.trust.unknown_part import Fitted, fitted, material
from distill.calibration import calibrated, fit_temperature
from distill.comparison import read_student
from runtimes.errors import InputError

_SAME_TEMPERATURE = 0.01


@dataclass(frozen=True)
class Fit:
    """What was fitted on the validation side, and the answers that it was fitted on.

    Attributes:
        temperature: T.
        score: the unknown score.
        choice: how it was chosen.
        points: operating points for melanoma; none where the data set has no melanoma.
        student: answers of the student in torch.
    """

    temperature: float
    score: Fitted
    choice: Choice
    points: tuple[OperatingPoint, ...]
    student: Mapping[str, Known]


class Side:
    """Labels and lesions of the images of a side that are asked about."""

    def __init__(self, setting: Setting, side: str) -> None:
        rows = side_rows(setting.dataset, side, setting.amounts)
        groups = setting.dataset.groups(side)
        self.target = setting.dataset.labels(side)[rows]
        self.groups = [groups[row] for row in rows]


def check_classes(setting: Setting) -> None:
    """Checks that every class can be calibrated, and operating points be told.

    Raises:
        InputError: a class has no validation image, or melanoma no test image.
    """
    present = set(Side(setting, CHOOSING).target.tolist())
    classes = setting.dataset.index.classes
    absent = [code for k, code in enumerate(classes) if k not in present]
    if absent:
        raise InputError(
            f"the validation side has no image of {', '.join(absent)}; temperature, thresholds and "
            "operating points would say nothing about it. Ask about more images, or use a split "
            "with images of every class on every side."
        )
    own = Side(setting, REPORTING).target == (
        classes.index(MELANOMA) if MELANOMA in classes else -1
    )
    if MELANOMA in classes and (not own.any() or own.all()):
        raise InputError(
            f"the test side has {'nothing but' if own.any() else 'no image of'} {MELANOMA}; what "
            "an operating point finds could not be told. Ask about more images, or use a split "
            "with images of every class on every side."
        )


def fit(setting: Setting, question: Question) -> tuple[Fit, dict[str, dict[str, Known]]]:
    """Asks the student and those that never saw a class, and fits on the validation side."""
    check_classes(setting)
    student = ask_student(setting, question.run)
    held_out = {
        folder.name: ask_held_out(setting, folder, folder.name)
        for folder in held_out_folders(question.leave_out, setting.dataset.index.classes)
    }
    validation, test = Side(setting, CHOOSING), Side(setting, REPORTING)
    temperature = _temperature(setting, student[CHOOSING].logits, validation.target)
    own, _ = read_student(question.run)
    others = {code: material(known) for code, known in held_out.items()}
    choice = choose(material(student), others, own.unknown)
    probabilities = {
        side: calibrated(student[side].logits, temperature) for side in (CHOOSING, REPORTING)
    }
    classes = setting.dataset.index.classes
    points: tuple[OperatingPoint, ...] = ()
    if MELANOMA in classes:
        points = measure_operating_points(
            probabilities[CHOOSING],
            validation.target,
            probabilities[REPORTING],
            test.target,
            test.groups,
            classes,
        )
    return Fit(temperature, fitted(choice, student), choice, points, student), held_out


def _temperature(setting: Setting, logits: np.ndarray, target: np.ndarray) -> float:
    """The contract's own temperature, where a new fit says the same.

    Training evaluates without rounding pixels twice, as applications do, so the two fits differ by
    a little that means nothing; the figures of training are told at the contract's.
    """
    own, new = setting.contract.calibration.temperature, fit_temperature(logits, target)
    return own if abs(new / own - 1) < _SAME_TEMPERATURE else new
