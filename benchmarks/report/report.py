"""One report: findings, what follows from them, and both as data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.report.changes import SCHEMA, VERSION, Changes, Known, compare, known
from benchmarks.report.document import Document
from benchmarks.report.findings import Findings, Inputs, read_findings
from benchmarks.report.pareto import Point, pareto_points
from benchmarks.report.verdicts import FAILED, PASSED, UNMEASURED, Verdict, headline, judge_files
from distill.provenance import provenance
from runtimes.strict_json import StrictObject

NOTICE = (
    "Research only. Not a medical device, not a diagnosis: no figure of this page says that a file "
    "may decide about any person's care."
)


@dataclass(frozen=True)
class Source:
    """A JSON file that figures come from, and where its own figures come from.

    Attributes:
        role: what it is to the report.
        copy: its path beside report.html.
        name: as it was called.
        sha256: of its content.
        git_commit: of the code that wrote it; "" where it does not say.
        machine: likewise.
        python: likewise.
        further_commits: other commits that it names beside its parts.
    """

    role: str
    copy: str
    name: str
    bytes: int
    sha256: str
    git_commit: str
    machine: str
    python: str
    further_commits: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What report.json and report.html show.

    Attributes:
        found: all figures.
        verdicts: of every file, in the manifest's order.
        points: device to the files with accuracy, latency and size; as many as devices.
        sources: the JSON files.
        changes: since an older report, if one was named.
        provenance: of this report.
    """

    found: Findings
    verdicts: tuple[Verdict, ...]
    points: tuple[tuple[Point, ...], ...]
    sources: tuple[Source, ...]
    changes: Changes | None
    provenance: dict[str, Any]

    @property
    def headline(self) -> str:
        """The verdict on all files, in a sentence."""
        return headline(self.verdicts)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as docs/report.schema.json describes them."""
        found, export = self.found, self.found.export
        side = found.test_side
        words = [verdict.word for verdict in self.verdicts]
        verdicts = {verdict.format: verdict for verdict in self.verdicts}
        value = {
            "schema": SCHEMA,
            "version": VERSION,
            "name": export.name,
            "notice": NOTICE,
            "synthetic": export.synthetic,
            "student": {"architecture": export.architecture, "sha256": export.student},
            "verdict": {
                "sentence": self.headline,
                **{word: words.count(word) for word in (PASSED, FAILED, UNMEASURED)},
            },
            "files": [
                {
                    "format": file.format,
                    "file": file.file,
                    "bytes": file.bytes,
                    "sha256": file.sha256,
                    "runs_on": file.runs_on,
                    "verdict": _verdict(verdicts[file.format]),
                    "check": None if file.check is None else asdict(file.check),
                    "parity": None if side is None else _plain(side.rows.get(file.format)),
                }
                for file in export.files
            ],
            "undelivered": dict(export.undelivered),
            "test_side": None
            if side is None
            else {
                "images": side.images,
                "lesions": side.lesions,
                "matched_by": "hash" if side.by_hash else "name",
                "reference": _plain(side.reference),
            },
            "evaluation": _plain(found.evaluation),
            "calibration": asdict(export.contract.calibration),
            "devices": [
                {
                    **asdict(device),
                    "measure": device.measure,
                    "pareto": [asdict(point) for point in points],
                }
                for device, points in zip(found.devices, self.points, strict=True)
            ],
            "costs": _plain(found.costs),
            "quantization": _plain(found.trials),
            "opinions": _plain(found.opinions),
            "arm": _plain(found.arm),
            "trust": _plain(found.trust),
            "changes": None if self.changes is None else self.changes.to_json(),
            "missing": [asdict(item) for item in found.missing],
            "notes": [asdict(item) for item in found.notes],
            "sources": [asdict(source) for source in self.sources],
            "provenance": self.provenance,
        }
        return dict(json.loads(json.dumps(value, allow_nan=False)))  # tuples become lists


def build_report(inputs: Inputs, before: Known | None = None) -> Report:
    """Reads every input and draws the conclusions.

    Args:
        inputs: where they lie.
        before: an older report to compare with.

    Raises:
        InputError: an input is damaged, or of another student or of other files.
    """
    found = read_findings(inputs)
    report = Report(
        found=found,
        verdicts=judge_files(found),
        points=tuple(pareto_points(found, device) for device in found.devices),
        sources=tuple(_source(document) for document in found.documents),
        changes=None,
        provenance=provenance(()),
    )
    if before is None:
        return report
    now = known(StrictObject(report.to_json(), "this report", ""))
    return Report(**{**vars(report), "changes": compare(before, now)})


def _verdict(verdict: Verdict) -> dict[str, str]:
    return {"word": verdict.word, "sentence": verdict.sentence}


def _plain(value: Any) -> Any:
    return None if value is None else asdict(value)


def _source(document: Document) -> Source:
    about = StrictObject({}, str(document.path), "provenance")
    if document.root.has("provenance"):
        about = document.root.child("provenance")
    commit, machine, python = (
        (about.text_or_none(key) or "") if about.has(key) else ""
        for key in ("git_commit", "machine", "python")
    )
    return Source(
        role=document.role,
        copy=document.copy,
        name=Path(document.path).name,
        bytes=len(document.content),
        sha256=document.sha256,
        git_commit=commit,
        machine=machine,
        python=python,
        further_commits=tuple(sorted({*_commits(document.root.content())} - {commit, ""})),
    )


def _commits(value: Any) -> Iterator[str]:
    """Every git_commit of a provenance at any depth of a JSON value."""
    if isinstance(value, list):
        for each in value:
            yield from _commits(each)
    elif isinstance(value, dict):
        about = value.get("provenance")
        if isinstance(about, dict) and isinstance(about.get("git_commit"), str):
            yield about["git_commit"]
        for each in value.values():
            yield from _commits(each)
