"""Times on phones over a cable: what `python -m benchmarks phone --json` wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.phone.document import SCHEMA, VERSION
from benchmarks.phone.facts import NOT_TOLD, Facts
from benchmarks.phone.records import Row
from benchmarks.phone.state import State
from benchmarks.report.browsers import read_browsers
from benchmarks.report.devices import (
    LONGEST_MS,
    Device,
    PhoneRun,
    Timing,
    milliseconds,
    read_record,
)
from benchmarks.report.document import Document
from benchmarks.report.export import Export
from benchmarks.report.fields import count, number, positive, text_or_empty
from benchmarks.report.match import owner
from benchmarks.web import document as web_document
from runtimes.errors import InputError
from runtimes.strict_json import StrictObject

REMAKE = "python -m benchmarks phone {folder} --runner benchmark_model --json {figures}/phone.json"
_ROUNDING = 1e-3  # of what the runner prints


@dataclass(frozen=True)
class _File:
    format: str
    bytes: int


@dataclass(frozen=True)
class _Asked:
    """What was asked of every phone.

    Attributes:
        files: by name.
        runs: for each phone.
        about: the same for a reader.
    """

    files: dict[str, _File]
    runs: int
    about: str


def read_phones(document: Document, export: Export, remake: str) -> tuple[Device, ...]:
    """Reads every phone of a record, measured over a cable or in its browser.

    Raises:
        InputError: damaged, of another version, or with none of this export's files.
    """
    top = document.root
    if text_or_empty(top, "schema") == web_document.SCHEMA:
        return read_browsers(document, export, remake)
    found = f"{text_or_empty(top, 'schema')} {text_or_empty(top, 'version')}".strip()
    if found != f"{SCHEMA} {VERSION}":
        raise InputError(
            f"{document.path}: it is {found or 'a document without a schema'}; expected {SCHEMA} "
            f"{VERSION}, times of phones. Run `{remake}`."
        )
    settings, phones = read_record(document, export, remake, f"Run `{remake}`.", _name)
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
        files[name] = _File(owner(item, export), count(item, "size"))
    threads, delegates = settings.array("threads"), settings.texts("delegates")
    runner = settings.child("runner")
    # the demo app runs a GPU once, whatever the threads
    every = len(threads) * len(delegates)
    ways = count(settings, "ways", 1) if settings.has("ways") else every
    if ways > every:
        raise settings.error("ways", ways, f"at most {every}, delegates times threads")
    return _Asked(
        files=files,
        runs=len(files) * ways,
        about=f"{runner.text('name')} {runner.text('sha256')[:12]}, at least "
        f"{count(settings, 'runs', 1):,} inferences and {positive(settings, 'seconds'):g} s a run, "
        "batch 1, random pixels",
    )


def _phone(item: StrictObject, alike: bool, asked: _Asked, document: Document) -> Device:
    facts = Facts.from_json(item.child("facts"))
    rows, timings = [], []
    for entry in item.children("rows"):
        row, timing = _row(entry, asked)
        rows.append(row)
        timings.append(timing)
    # What is finished by its own word and has runs missing is not.
    left = max(asked.runs - len(rows), 0 if item.flag("finished") else 1)
    fault = ""
    if left:
        fault = (
            f"Not finished: {len(rows):,} of {asked.runs:,} runs are there. The command that began "
            "it, with --resume, makes the others."
        )
    return Device(
        name=f"{facts}, phone {item.text('id')}" if alike else str(facts),
        about=(
            f"Android {facts.android}, SDK {facts.sdk}, build {facts.build}",
            asked.about,
            *_states(rows),
        ),
        source=document.copy,
        rows=tuple(timings),
        targets=(),
        fault=fault,
        left=left,
    )


def _states(rows: Sequence[Row]) -> list[str]:
    """The first and the last look at the phone, and whether runs began warm."""
    looks = [state for row in rows for state in (row.before, row.after) if state is not None]
    looks = [state for state in looks if (state.thermal, state.celsius) != (None, None)]
    said = []
    if looks:
        said = [f"before: {_state(looks[0])}", f"after: {_state(looks[-1])}"]
    begun = [row.cool for row in rows if row.cool is not None]
    if begun:
        warm = begun.count(False)
        told = f"{warm:,} of {len(begun):,} runs began warm"
        said.append(told if warm else "every run began cool")
    return said


def _state(state: State) -> str:
    return f"{state}" + ("" if state.battery is None else f", charged to {state.battery} %")


def _row(item: StrictObject, asked: _Asked) -> tuple[Row, Timing]:
    words = item.child("asked")
    name, threads = words.text("file"), count(words, "threads", 1)
    if name not in asked.files:
        raise words.error("file", name, "one of 'settings.files'")
    if (checked := item.child_or_none("figures")) is not None:
        _check_figures(checked)
    row = Row.from_json(item)
    if (row.figures is None) != bool(row.fault):
        expected = "words, for there are no figures" if row.figures is None else "'' beside figures"
        raise item.error("fault", row.fault, expected)
    file, figures = asked.files[name], row.figures
    ran, graph = ("", "") if row.ran is None else (row.ran.delegate, row.ran.coverage)
    run = PhoneRun(
        asked=row.ask.delegate,
        ran=ran if figures is None else ran or NOT_TOLD,
        graph=graph if figures is None else graph or NOT_TOLD,
        mean=figures.mean if figures else None,
        deviation=figures.deviation if figures else None,
        least=figures.least if figures else None,
        most=figures.most if figures else None,
        p95=figures.p95 if figures else None,
        cool=row.cool,
        notes=row.notes,
    )
    peak = figures.peak_mb if figures else None
    return row, Timing(
        name=name,
        format=file.format,
        kind="own" if file.format else "other",
        setting=f"{threads} thread{'s' if threads > 1 else ''}, {row.ask.delegate}",
        bytes=file.bytes,
        runs=figures.runs if figures else 0,
        p50=figures.p50 if figures else None,
        p90=None,
        p99=None,
        drift=None,
        load=figures.load if figures else None,
        first=figures.first if figures else None,
        peak_memory_bytes=None if peak is None else round(peak * 1e6),
        preprocessing=None,
        base="",
        ratio=None,
        coverage=None,
        fault=row.fault,
        phone=run,
    )


def _check_figures(item: StrictObject) -> None:
    count(item, "runs", 1)
    least, mean, most = (milliseconds(item, name) for name in ("least", "mean", "most"))
    for name in ("load", "first"):
        milliseconds(item, name)
    number(item, "deviation", 0.0, LONGEST_MS)
    if not least * (1 - _ROUNDING) <= mean <= most * (1 + _ROUNDING):
        raise item.error("mean", mean, f"between least, {least:g}, and most, {most:g}")
    before = least
    for name in ("p50", "p95"):
        if item.number_or_none(name) is not None:
            before = number(item, name, before * (1 - _ROUNDING), most * (1 + _ROUNDING))
    if item.number_or_none("peak_mb") is not None:
        number(item, "peak_mb", 0.0, 1e6)
