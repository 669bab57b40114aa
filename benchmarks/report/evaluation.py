"""The student by class: the metrics.json of a run or of a released model."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.report.accuracy import SCALARS
from benchmarks.report.document import Document
from benchmarks.report.export import Export
from benchmarks.report.fields import LARGEST, Interval, count, interval, positive, sha256
from runtimes.errors import InputError
from runtimes.strict_json import StrictObject, is_number

_FIGURES = ("sensitivity", "specificity", "average_precision", "auc")
_SAME = 1e-9


@dataclass(frozen=True)
class ClassResult:
    """One class against the rest."""

    code: str
    images: int
    figures: dict[str, Interval]


@dataclass(frozen=True)
class Evaluation:
    """The student on the test side, as training measured it.

    Attributes:
        images: how many; `lesions` of them.
        method: how it was trained; `budget` how long.
        temperature: of the calibration.
        metrics: the scalars.
        classes: in the order of the labels.
        confusion: images; rows are the true class, columns the predicted one.
    """

    images: int
    lesions: int
    method: str
    budget: str
    temperature: float
    metrics: dict[str, Interval]
    classes: tuple[ClassResult, ...]
    confusion: tuple[tuple[int, ...], ...]


def read_evaluation(document: Document, export: Export) -> Evaluation:
    """Reads the metrics and makes sure that they are those in the export's contract.

    Raises:
        InputError: damaged, of another split, or of another student.
    """
    top = document.root
    split = sha256(top.child("split"), "sha256")
    # The manifest's is that of the images it was calibrated on, which may be others.
    trained = export.contract.training.split_sha256
    if split != trained:
        raise InputError(
            f"{document.path}: 'split.sha256' is {split[:12]}…, but {export.name} was trained on "
            f"the split {trained[:12]}…. Name the metrics.json of its own run."
        )
    metrics = top.child("metrics")
    found = {name: interval(metrics, name) for name in SCALARS}
    told = export.contract.training.metrics
    for name, figure in found.items():
        other = told.get(name)
        if is_number(other) and not _near(figure.value, other):
            raise InputError(
                f"{document.path}: 'metrics.{name}.value' is {figure.value}, but the contract of "
                f"{export.name} says {other}. These figures are of another student; name the "
                "metrics.json of its own run."
            )
    codes = export.contract.codes
    per_class = metrics.child("per_class")
    if sorted(per_class.content()) != sorted(codes):
        raise metrics.error("per_class", sorted(per_class.content()), f"the classes {codes}")
    return Evaluation(
        images=count(metrics, "images", 1),
        lesions=count(metrics, "lesions", 1),
        method=top.text("method"),
        budget=top.text("budget"),
        temperature=positive(top, "temperature"),
        metrics=found,
        classes=tuple(_class(code, per_class.child(code)) for code in codes),
        confusion=_confusion(metrics, len(codes)),
    )


def _near(value: float | None, other: object) -> bool:
    return value is not None and isinstance(other, int | float) and abs(value - other) < _SAME


def _class(code: str, item: StrictObject) -> ClassResult:
    figures = {name: interval(item, name) for name in _FIGURES}
    return ClassResult(code, count(item, "images"), figures)


def _confusion(item: StrictObject, classes: int) -> tuple[tuple[int, ...], ...]:
    rows = item.array("confusion")
    if len(rows) != classes or not all(isinstance(r, list) and len(r) == classes for r in rows):
        raise item.error("confusion", rows, f"{classes} rows of {classes} numbers of images")
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            if type(cell) is not int or not 0 <= cell < LARGEST:
                raise item.error(f"confusion[{i}][{j}]", cell, "a number of images")
    return tuple(tuple(row) for row in rows)
