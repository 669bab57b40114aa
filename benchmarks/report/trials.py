"""Ways to int8: what `python -m benchmarks quantization --json` wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.report.document import Document
from benchmarks.report.export import Export
from benchmarks.report.fields import LARGEST, Interval, count, interval, number, share
from benchmarks.report.match import same_student
from runtimes.errors import InputError
from runtimes.strict_json import StrictObject

REMAKE = "python -m benchmarks quantization {run} --json {figures}/quantization.json"


@dataclass(frozen=True)
class Trial:
    """One way on some validation images, see `benchmarks.quantization.Trial`.

    `divergence` is None if an answer was not a number; `beyond_default` is None for the default
    itself and where nobody measured it.
    """

    name: str
    format: str
    agreement: Interval
    divergence: float | None
    beyond_default: Interval | None
    balanced_accuracy: float
    best: bool
    is_default: bool


@dataclass(frozen=True)
class Trials:
    """All ways.

    Attributes:
        images: validation images.
        rows: format by format.
        by_hash: whether the student is known by its hash, not only by its architecture.
    """

    images: int
    rows: tuple[Trial, ...]
    by_hash: bool


def read_trials(document: Document, export: Export, remake: str) -> Trials:
    """Reads the trials.

    Raises:
        InputError: damaged, or of another student.
    """
    top = document.root
    by_hash = same_student(document, export, remake)
    if (found := top.text("architecture")) != export.architecture:
        raise InputError(
            f"{document.path}: 'architecture' is {found}, but {export.name} is a "
            f"{export.architecture}. Run `{remake}`."
        )
    best, default = top.child("best"), top.child("default").content()
    rows = tuple(_trial(item, best, default) for item in top.children("trials"))
    return Trials(count(top.child("validation"), "images", 1), rows, by_hash)


def _trial(item: StrictObject, best: StrictObject, default: dict[str, Any]) -> Trial:
    name, form, found = item.text("name"), item.text("format"), item.child("comparison")
    names = ("agreement", "agreement_low", "agreement_high")
    return Trial(
        name=name,
        format=form,
        agreement=Interval(*(share(found, key) for key in names)),
        divergence=_divergence(item),
        beyond_default=_beyond_default(item),
        balanced_accuracy=number(item, "balanced_accuracy", -1, 1),
        best=best.has(form) and best.text(form) == name,
        is_default=item.child("quantization").content() == default,
    )


def _divergence(item: StrictObject) -> float | None:
    if item.number_or_none("divergence") is None:
        return None
    return number(item, "divergence", -1e-3, LARGEST)


def _beyond_default(item: StrictObject) -> Interval | None:
    if not item.has("beyond_default") or item.child_or_none("beyond_default") is None:
        return None
    return interval(item, "beyond_default", -LARGEST, LARGEST)
