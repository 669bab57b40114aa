"""Times in browsers: what `python -m benchmarks web --json` wrote."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from benchmarks.report.devices import Device, PhoneRun, Timing, milliseconds, read_record
from benchmarks.report.document import Document
from benchmarks.report.export import Export
from benchmarks.report.fields import count, number, positive, share, text_or_empty
from benchmarks.report.match import owner
from benchmarks.web.document import SCHEMA, VERSION
from benchmarks.web.records import Facts, Row
from runtimes.errors import InputError
from runtimes.strict_json import StrictObject

_ROUNDING = 1e-6
_SHARES = ("agreement", "agreement_low", "agreement_high", "decisions")


@dataclass(frozen=True)
class _File:
    format: str
    bytes: int
    runtime: str


@dataclass(frozen=True)
class _Asked:
    """What was asked of every browser.

    Attributes:
        files: by name.
        threads: of the CPU.
        about: the same for a reader.
    """

    files: dict[str, _File]
    threads: tuple[int, ...]
    about: str

    @property
    def runs(self) -> int:
        """For each phone."""
        return len(self.files) * len(self.threads)


def read_browsers(document: Document, export: Export, remake: str) -> tuple[Device, ...]:
    """Reads every phone of a record.

    Raises:
        InputError: damaged, of another version, or with none of this export's files.
    """
    top = document.root
    version = text_or_empty(top, "version")
    if version != VERSION:
        raise InputError(
            f"{document.path}: it is a {SCHEMA} {version}; expected {SCHEMA} {VERSION}. Measure "
            "again with `make web`."
        )
    settings, phones = read_record(
        document, export, remake, "Measure again with `make web`.", _name
    )
    asked = _asked(settings, export)
    return tuple(_phone(item, alike, asked, document) for item, alike in phones)


def _name(facts: StrictObject) -> str:
    return str(Facts.from_json(facts))


def _asked(settings: StrictObject, export: Export) -> _Asked:
    files = {}
    for item in settings.children("files"):
        name = item.text("name")
        if name in files:
            raise item.error("name", name, "each name once")
        files[name] = _File(owner(item, export), count(item, "size"), item.text("runtime"))
    threads = settings.array("threads")
    if not threads or not all(type(each) is int and 1 <= each <= 1024 for each in threads):
        raise settings.error("threads", threads, "numbers of threads")
    return _Asked(
        files=files,
        threads=tuple(threads),
        about=f"At least {count(settings, 'runs', 1):,} inferences and "
        f"{positive(settings, 'seconds'):g} s a file, batch 1, from pixels in to answers out",
    )


def _phone(item: StrictObject, alike: bool, asked: _Asked, document: Document) -> Device:
    facts = Facts.from_json(item.child("facts"))
    rows = [_row(entry, asked) for entry in item.children("rows")]
    done = {row.ask for row, _ in rows}
    if len(done) < len(rows):
        raise item.error("rows", len(rows), "each file and number of threads once")
    # What is finished by its own word and has runs missing is not.
    left = max(asked.runs - len(rows), 0 if item.flag("finished") else 1)
    fault = ""
    if left:
        fault = (
            f"Not finished: {len(rows):,} of {asked.runs:,} runs are there. Open the page again to "
            "measure anew."
        )
    isolated = "may" if facts.isolated else "may not"
    builds = dict.fromkeys(row.ran for row, _ in rows if row.ran)
    return Device(
        name=f"{facts}, phone {item.text('id')}" if alike else str(facts),
        about=(
            "In its browser; " + ("; ".join(builds) or "nothing ran"),
            asked.about,
            f"Its clock has steps of {facts.clock_ms:g} ms; its page {isolated} use threads",
        ),
        source=document.copy,
        rows=tuple(timing for _, timing in rows),
        targets=(),
        fault=fault,
        left=left,
    )


def _row(item: StrictObject, asked: _Asked) -> tuple[Row, Timing]:
    words = item.child("asked")
    name, threads = words.text("file"), words.integer("threads")
    if name not in asked.files:
        raise words.error("file", name, "one of 'settings.files'")
    if threads not in asked.threads:
        raise words.error("threads", threads, "one of 'settings.threads'")
    for key, check in (("figures", _check_figures), ("answers", _check_answers)):
        if (checked := item.child_or_none(key)) is not None:
            check(checked)
    row = Row.from_json(item)
    figures, answers = row.figures, row.answers
    if (figures is None) != bool(row.fault) or (figures is None) != (answers is None):
        raise item.error("fault", row.fault, "'' beside figures and answers, words without them")
    file = asked.files[name]
    runtime = f"{file.runtime}, {row.ask.delegate}"
    run = PhoneRun(
        asked=runtime,
        ran="" if figures is None else runtime,
        graph="" if figures is None else "whole graph",
        mean=figures.mean if figures else None,
        deviation=figures.deviation if figures else None,
        least=figures.least if figures else None,
        most=figures.most if figures else None,
        p95=None,
        cool=None,
        notes=row.notes,
        probability=answers.comparison.to_json()["probability"] if answers else None,
        apart=answers.faults if answers else (),
    )
    return row, Timing(
        name=name,
        format=file.format,
        kind="own" if file.format else "other",
        setting=f"{threads} thread{'s' if threads > 1 else ''}",
        bytes=file.bytes,
        runs=figures.runs if figures else 0,
        p50=figures.p50 if figures else None,
        p90=figures.p90 if figures else None,
        p99=figures.p99 if figures else None,
        drift=figures.drift if figures else None,
        load=figures.load if figures else None,
        first=figures.first if figures else None,
        peak_memory_bytes=None,
        preprocessing=None,
        base="",
        ratio=None,
        coverage=None,
        fault=row.fault,
        phone=run,
    )


def _check_figures(item: StrictObject) -> None:
    count(item, "runs", 1)
    names = ("load", "first", "mean", "drift", "least", "p50", "p90", "p99", "most")
    times = {name: milliseconds(item, name) for name in names}
    number(item, "deviation", 0.0, times["most"])
    rising = ("least", "p50", "p90", "p99", "most")
    for before, name in pairwise(rising):
        if times[name] < times[before] * (1 - _ROUNDING):
            raise item.error(name, times[name], f"no less than {before}, {times[before]:g}")
    if not times["least"] * (1 - _ROUNDING) <= times["mean"] <= times["most"] * (1 + _ROUNDING):
        raise item.error("mean", times["mean"], "between least and most")


def _check_answers(item: StrictObject) -> None:
    found = item.child("comparison")
    count(found, "images", 1)
    for name in _SHARES:
        share(found, name)
    for name in ("probability", "mean_probability", "cam", "unknown"):
        if found.number_or_none(name) is not None:
            number(found, name, 0.0, 1e6)
