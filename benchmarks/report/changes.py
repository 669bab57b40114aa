"""What is different from an older report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report.document import read_document
from benchmarks.report.fields import count, number, sha256
from runtimes.errors import InputError
from runtimes.strict_json import StrictObject

SCHEMA, VERSION = "dermport.report", "1.3"


@dataclass(frozen=True)
class Ratio:
    """The latency of a file by that of its base, on one device."""

    device: str
    base: str
    value: float


@dataclass(frozen=True)
class Row:
    """What an earlier or a later report says of one file."""

    format: str
    sha256: str
    bytes: int
    verdict: str
    accuracy: float | None
    balanced_accuracy: float | None
    agreement: float | None
    ratios: tuple[Ratio, ...]


@dataclass(frozen=True)
class Known:
    """The part of a report.json that can be compared."""

    name: str
    version: str
    student: str
    test_images: int | None
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Change:
    """One file in both reports; differences are the later minus the earlier, None if unknown.

    Attributes:
        same_content: whether the file is byte for byte the same.
        verdicts: the earlier and the later word.
        ratios: device and base, then the earlier and the later ratio.
    """

    format: str
    same_content: bool
    verdicts: tuple[str, str]
    bytes: int
    accuracy: float | None
    balanced_accuracy: float | None
    agreement: float | None
    ratios: tuple[tuple[str, str, float, float], ...]


@dataclass(frozen=True)
class Changes:
    """What changed since an older report."""

    name: str
    same_student: bool
    same_images: bool
    rows: tuple[Change, ...]
    new: tuple[str, ...]
    vanished: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        rows = []
        for row in self.rows:
            ratios = [
                dict(zip(("device", "base", "before", "after"), ratio, strict=True))
                for ratio in row.ratios
            ]
            before, after = row.verdicts
            verdicts = {"before": before, "after": after}
            rows.append({**vars(row), "verdicts": verdicts, "ratios": ratios})
        return {
            **vars(self),
            "rows": rows,
            "new": list(self.new),
            "vanished": list(self.vanished),
        }


def read_known(path: Path) -> Known:
    """Reads a report.json of this or an earlier version.

    Raises:
        InputError: damaged, of another kind, or of a version that this one does not know.
    """
    top = read_document(path, "earlier report", "").root
    if top.text("schema") != SCHEMA:
        raise top.error("schema", top.text("schema"), f"'{SCHEMA}'; name a report.json")
    version = top.text("version")
    if version.partition(".")[0] != VERSION.partition(".")[0]:
        raise InputError(
            f"{path}: 'version' is {version}; this program reads {VERSION.partition('.')[0]}.x. "
            "Update it, or compare with a report of its own."
        )
    return known(top)


def known(top: StrictObject) -> Known:
    """Takes from a report what can be compared; keys that later versions add are passed over."""
    side = top.child_or_none("test_side")
    rows = {item.text("format"): item for item in top.children("files")}
    ratios: dict[str, list[Ratio]] = {form: [] for form in rows}
    for device in top.children("devices"):
        for time in device.children("rows"):
            ratio = time.child_or_none("ratio")
            if ratio is not None and time.text("format") in ratios:
                where = ", ".join(filter(None, (device.text("name"), time.text("setting"))))
                value = number(ratio, "value", 0, 1e6)
                ratios[time.text("format")].append(Ratio(where, time.text("base"), value))
    return Known(
        name=top.text("name"),
        version=top.text("version"),
        student=sha256(top.child("student"), "sha256"),
        test_images=None if side is None else count(side, "images", 1),
        rows=tuple(_row(form, item, ratios[form]) for form, item in rows.items()),
    )


def _row(form: str, item: StrictObject, ratios: Sequence[Ratio]) -> Row:
    parity = item.child_or_none("parity")
    return Row(
        format=form,
        sha256=sha256(item, "sha256"),
        bytes=count(item, "bytes", 1),
        verdict=item.child("verdict").text("word"),
        accuracy=_metric(parity, "accuracy"),
        balanced_accuracy=_metric(parity, "balanced_accuracy"),
        agreement=None if parity is None else number(parity, "agreement", 0, 1),
        ratios=tuple(ratios),
    )


def _metric(parity: StrictObject | None, name: str) -> float | None:
    if parity is None:
        return None
    return parity.child("metrics").child(name).number_or_none("value")


def compare(before: Known, after: Known) -> Changes:
    """Returns the differences, file by file in the later report's order."""
    earlier = {row.format: row for row in before.rows}
    later = {row.format: row for row in after.rows}
    return Changes(
        name=before.name,
        same_student=before.student == after.student,
        same_images=before.test_images == after.test_images,
        rows=tuple(_change(earlier[f], row) for f, row in later.items() if f in earlier),
        new=tuple(form for form in later if form not in earlier),
        vanished=tuple(form for form in earlier if form not in later),
    )


def _change(before: Row, after: Row) -> Change:
    earlier = {(ratio.device, ratio.base): ratio.value for ratio in before.ratios}
    return Change(
        format=after.format,
        same_content=before.sha256 == after.sha256,
        verdicts=(before.verdict, after.verdict),
        bytes=after.bytes - before.bytes,
        accuracy=_minus(after.accuracy, before.accuracy),
        balanced_accuracy=_minus(after.balanced_accuracy, before.balanced_accuracy),
        agreement=_minus(after.agreement, before.agreement),
        ratios=tuple(
            (ratio.device, ratio.base, earlier[ratio.device, ratio.base], ratio.value)
            for ratio in after.ratios
            if (ratio.device, ratio.base) in earlier
        ),
    )


def _minus(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before
