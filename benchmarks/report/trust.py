"""Whether answers can be trusted: the trust.json that `python -m benchmarks trust` wrote."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.report.document import Document
from benchmarks.report.export import Export
from benchmarks.report.fields import LARGEST, Interval, count, interval, number, positive, share
from benchmarks.report.match import owner, same_student
from runtimes.strict_json import StrictObject

REMAKE = "python -m benchmarks trust {run} --artifacts {folder} --out results/trust"
_CALIBRATION = ("ece", "adaptive_ece", "brier", "nll")
_DETECTION = ("auroc", "aupr", "fpr95")
_LOOKED = ("energy", "pointing", "iou")


@dataclass(frozen=True)
class CalibrationRow:
    """How well one set of probabilities is calibrated.

    Attributes:
        of: "torch" or a format.
        way: "before", "temperature" or "vector".
        figures: ECE, adaptive ECE, Brier score and negative log-likelihood by name.
    """

    of: str
    way: str
    figures: dict[str, Interval]


@dataclass(frozen=True)
class UnknownRow:
    """The unknown score on pictures that should not be answered.

    Attributes:
        of: "torch" or a format.
        pictures: kind, or the class that was held out.
        figures: AUROC, AUPR and FPR at 95 % true positives by name.
        called: share that is answered with "unknown".
    """

    of: str
    pictures: str
    figures: dict[str, Interval]
    called: float


@dataclass(frozen=True)
class Point:
    """An operating point, measured on test images."""

    code: str
    aim: float
    threshold: float
    sensitivity: Interval
    specificity: Interval


@dataclass(frozen=True)
class Claim:
    """A claim of the article, answered."""

    claim: str
    answer: str
    evidence: str


@dataclass(frozen=True)
class Trust:
    """All of a document that is about this export.

    Attributes:
        images: test images.
        temperature: T.
        score: what the unknown score is.
        calibration: torch first.
        unknown: torch first.
        goals: what was aimed at, and whether it was reached; None where nobody measured it.
        points: for melanoma.
        looked: network to energy in the lesion, pointing game and IoU.
        claims: empty without lesion masks.
        missing: what was not measured, in words.
        others: names of files with another content, left out.
    """

    images: int
    temperature: float
    score: str
    calibration: tuple[CalibrationRow, ...]
    unknown: tuple[UnknownRow, ...]
    goals: tuple[tuple[str, bool | None], ...]
    points: tuple[Point, ...]
    looked: dict[str, dict[str, Interval]]
    claims: tuple[Claim, ...]
    missing: tuple[str, ...]
    others: tuple[str, ...]


def read_trust(document: Document, export: Export, remake: str) -> Trust:
    """Reads what was measured of this export's student and files.

    Raises:
        InputError: damaged, or of another student.
    """
    same_student(document, export, remake)
    top = document.root
    calibration, unknown = top.child("calibration"), top.child("unknown")
    files = [(item, owner(item, export)) for item in top.children("files")]
    own = [(item, form) for item, form in files if form]
    rows = _calibrations("torch", calibration.child("torch"), ("before", "temperature", "vector"))
    called = _pictures("torch", unknown.child("pictures"))
    held = unknown.child("held_out")
    called += [
        _unknown("torch", f"{code}, held out", held.child(code).child("chosen"))
        for code in held.content()
    ]
    for item, form in own:
        rows += _calibrations(form, item.child("calibration"), ("before", "temperature"))
        called += _pictures(form, item.child("unknown"))
    where = top.child_or_none("where")
    return Trust(
        images=count(top, "images", 1),
        temperature=positive(calibration, "temperature"),
        score=unknown.text("score"),
        calibration=tuple(rows),
        unknown=tuple(called),
        goals=tuple((i.text("goal"), i.flag_or_none("met")) for i in unknown.children("goals")),
        points=tuple(_point(item) for item in top.children("operating_points")),
        looked={} if where is None else _looked(where.child("networks")),
        claims=() if where is None else tuple(map(_claim, where.children("claims"))),
        missing=top.texts("missing"),
        others=tuple(item.text("file") for item, form in files if not form),
    )


def _calibrations(of: str, item: StrictObject, ways: tuple[str, ...]) -> list[CalibrationRow]:
    return [
        CalibrationRow(
            of, way, {key: interval(item.child(way), key, 0, LARGEST) for key in _CALIBRATION}
        )
        for way in ways
    ]


def _pictures(of: str, item: StrictObject) -> list[UnknownRow]:
    return [_unknown(of, kind, item.child(kind)) for kind in item.content()]


def _unknown(of: str, pictures: str, item: StrictObject) -> UnknownRow:
    figures = {key: interval(item, key) for key in _DETECTION}
    return UnknownRow(of, pictures, figures, share(item, "called_unknown"))


def _point(item: StrictObject) -> Point:
    return Point(
        code=item.text("code"),
        aim=share(item, "aim"),
        threshold=number(item, "threshold", 0, 1),
        sensitivity=interval(item, "sensitivity"),
        specificity=interval(item, "specificity"),
    )


def _looked(item: StrictObject) -> dict[str, dict[str, Interval]]:
    return {
        name: {key: interval(item.child(name).child("clean"), key) for key in _LOOKED}
        for name in item.content()
    }


def _claim(item: StrictObject) -> Claim:
    return Claim(item.text("claim"), item.text("answer"), item.text("evidence"))
