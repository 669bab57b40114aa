"""Every file on the test side: what `python -m benchmarks parity --json` wrote."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.report.document import Document
from benchmarks.report.export import Export
from benchmarks.report.fields import (
    LARGEST,
    Interval,
    count,
    interval,
    number,
    sha256,
    share,
    share_or_none,
)
from benchmarks.report.match import same_student
from runtimes.errors import InputError
from runtimes.strict_json import StrictObject

SCALARS = (
    *("accuracy", "balanced_accuracy", "mean_average_precision"),
    *("macro_auc", "calibration_error"),
)
TORCH = "torch:fp32"
REMAKE = "python -m benchmarks parity {folder} --json {figures}/parity.json"


@dataclass(frozen=True)
class Parity:
    """One row; see `benchmarks.parity.FileParity`."""

    format: str
    backend: str
    metrics: dict[str, Interval]
    difference: dict[str, Interval]
    agreement: float
    probability: float
    divergence: float
    melanoma_sensitivity: float | None
    faults: tuple[str, ...]


@dataclass(frozen=True)
class TestSide:
    """The table.

    Attributes:
        images: how many; `lesions` of them.
        reference: torch in float32.
        rows: format to row, of this export's files alone.
        by_hash: whether the table names hashes; else its rows are matched by name.
        others: names of files with another content than this export's, left out.
    """

    __test__ = False  # pytest takes the name for a test's

    images: int
    lesions: int
    reference: Parity
    rows: dict[str, Parity]
    by_hash: bool
    others: tuple[str, ...]


def read_test_side(document: Document, export: Export, remake: str) -> TestSide:
    """Reads the table and keeps the rows of this export's files.

    Raises:
        InputError: damaged, of another student, or with none of this export's files.
    """
    top = document.root
    by_hash = same_student(document, export, remake)
    own = {file.format: file for file in export.files}
    reference: Parity | None = None
    rows: dict[str, Parity] = {}
    others: list[str] = []
    for item in top.children("rows"):
        row, name = _row(item), item.text("file")
        if row.format == TORCH:
            reference = row
            continue
        file = own.get(row.format)
        same = file is not None and name == file.file
        if same and by_hash and file is not None:
            same = sha256(item, "sha256") == file.sha256
        if not same:
            others.append(name)
        elif row.format in rows:
            raise item.error("format", row.format, "a format only once")
        else:
            rows[row.format] = row
    if reference is None:
        raise top.error("rows", [], f"a row of {TORCH}")
    if not rows:
        raise InputError(
            f"{document.path}: no row in 'rows' is of a file of {export.name} (found "
            f"{', '.join(others[:3]) or 'none'}). Run `{remake}`."
        )
    if top.text("side") != "test":
        raise top.error("side", top.text("side"), "'test'")
    images = count(top, "images", 1)
    return TestSide(images, count(top, "lesions", 1), reference, rows, by_hash, tuple(others))


def _row(item: StrictObject) -> Parity:
    metrics, difference = item.child("metrics"), item.child("difference")
    return Parity(
        format=item.text("format"),
        backend=item.text("backend"),
        metrics={name: interval(metrics, name) for name in SCALARS},
        difference={name: interval(difference, name, -1.0) for name in SCALARS},
        agreement=share(item, "agreement"),
        probability=share(item, "probability"),
        divergence=number(item, "divergence", -1e-3, LARGEST),
        melanoma_sensitivity=share_or_none(item, "melanoma_sensitivity"),
        faults=item.texts("faults"),
    )
