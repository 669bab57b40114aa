"""Times on each device: what `python -m benchmarks latency --json` and a phone's run wrote.

A latency file is one device. A phone's file has `devices`, an array of objects with `name`, `about`
(text), `fault` (text or null) and `files`, whose rows are those of a latency file and may also have
`threads` and `delegate`.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.latency.opening import MACOS_ONLY
from benchmarks.report.document import Document
from benchmarks.report.export import Export
from benchmarks.report.fields import Interval, count, interval, positive, text_or_empty
from benchmarks.report.match import check_any, owner
from runtimes.errors import InputError
from runtimes.strict_json import StrictObject

REMAKE = "python -m benchmarks latency {folder} --json {figures}/latency.json"
MOST_ROWS = 500
_LONGEST_MS = 1e7


@dataclass(frozen=True)
class Coverage:
    """Which back end took how many operators of a file."""

    asked: str
    ran: str
    covered: int
    operators: int
    partitions: int | None
    left: dict[str, int]


@dataclass(frozen=True)
class Timing:
    """One file on one device, times in milliseconds.

    Attributes:
        name: of the file.
        format: of this export's file with that content; "" for any other.
        kind: "own", "peer", or "other": a file that is neither of this export nor a peer.
        setting: threads and delegate where a device has more than one.
        runs: inferences; 0 where there are no times.
        ratio: to `base`, paired by round.
        fault: why there are no times, in words.
    """

    name: str
    format: str
    kind: str
    setting: str
    bytes: int | None
    runs: int
    p50: float | None
    p90: float | None
    p99: float | None
    drift: float | None
    load: float | None
    first: float | None
    peak_memory_bytes: int | None
    preprocessing: float | None
    base: str
    ratio: Interval | None
    coverage: Coverage | None
    fault: str

    @property
    def broken(self) -> bool:
        """Whether the file should run on this device and did not."""
        return bool(self.fault) and self.fault != MACOS_ONLY


@dataclass(frozen=True)
class Target:
    """A ratio that int8 has to reach."""

    file: str
    format: str
    base: str
    ratio: Interval
    limit: float
    verdict: str


@dataclass(frozen=True)
class Device:
    """A machine or a phone.

    Attributes:
        name: what it is called.
        about: facts and state, a line each.
        source: the copy of its JSON in the report's folder.
        rows: in the order in which they were measured.
        targets: verdicts on the ratios that are asked for.
        fault: why it has no (more) rows, in words.
    """

    name: str
    about: tuple[str, ...]
    source: str
    rows: tuple[Timing, ...]
    targets: tuple[Target, ...]
    fault: str


def read_devices(document: Document, export: Export, remake: str) -> tuple[Device, ...]:
    """Reads the devices of a latency file or of a phone's.

    Raises:
        InputError: damaged, or with none of this export's files.
    """
    top = document.root
    items = top.children("devices") if top.has("devices") else [top]
    hashes = [item.text("sha256") for one in items for item in one.children("files")]
    key = "devices[].files" if top.has("devices") else "files"
    if len(hashes) > MOST_ROWS:
        raise InputError(
            f"{document.path}: '{key}' has {len(hashes):,} rows; expected at most {MOST_ROWS}."
        )
    check_any(document, export, hashes, key, remake)
    return tuple(
        _phone(item, document, export) if top.has("devices") else _machine(item, document, export)
        for item in items
    )


def _phone(item: StrictObject, document: Document, export: Export) -> Device:
    rows = tuple(_timing(row, export) for row in item.children("files"))
    about = text_or_empty(item, "about")
    lines = (about,) if about else ()
    fault = text_or_empty(item, "fault")
    return Device(item.text("name"), lines, document.copy, rows, (), fault)


def _machine(item: StrictObject, document: Document, export: Export) -> Device:
    machine, settings = item.child("machine"), item.child("settings")
    threads = count(settings, "threads", 1)
    rows = tuple(_timing(row, export) for row in item.children("files"))
    names = {row.name: row.format for row in rows}
    processor = machine.text("processor")
    cores = count(machine, "cores", 1)
    about = [
        f"{processor}, {cores} cores, {' '.join(machine.texts('flags'))}; "
        f"{machine.text('system')}{'; virtual machine' if _virtual(machine) else ''}",
        f"{threads} thread{'s' if threads > 1 else ''}, batch 1; governor "
        f"{machine.text('governor')}",
    ]
    for when in ("before", "after"):
        about.append(f"{when}: {_state(item.child(when))}")
    targets = tuple(_target(entry, names) for entry in item.children("targets"))
    return Device(
        name=f"{processor}, {cores} cores, {threads} thread{'s' if threads > 1 else ''}",
        about=tuple(about),
        source=document.copy,
        rows=rows,
        targets=targets,
        fault="",
    )


def _virtual(machine: StrictObject) -> bool:
    return machine.has("virtual") and machine.content()["virtual"] is True


def _state(item: StrictObject) -> str:
    load = item.number_or_none("load")
    found = item.content().get("temperatures")
    if isinstance(found, dict):
        degrees = item.child("temperatures")
        warm = ", ".join(f"{name} {degrees.number(name):.0f} °C" for name in found)
    else:
        warm = "temperature " + item.text("temperatures")
    return f"load {'not readable' if load is None else f'{load:g}'}, {warm}"


def _timing(item: StrictObject, export: Export) -> Timing:
    form = owner(item, export)
    peer = item.flag("peer") if item.has("peer") else False
    opening = item.child_or_none("opening") if item.has("opening") else None
    times = item.child_or_none("latency_ms")
    before = item.child_or_none("preprocessing_ms") if item.has("preprocessing_ms") else None
    ratio = item.child_or_none("ratio") if item.has("ratio") else None
    p50, p90, p99 = (None, None, None) if times is None else _percentiles(times)
    return Timing(
        name=item.text("name"),
        format=form,
        kind="own" if form else "peer" if peer else "other",
        setting=_setting(item),
        bytes=count(item, "size") if item.has("size") else None,
        runs=0 if times is None else count(times, "runs", 1),
        p50=p50,
        p90=p90,
        p99=p99,
        drift=None if times is None or not times.has("drift") else positive(times, "drift"),
        load=None if opening is None else _milliseconds(opening, "load_ms"),
        first=None if opening is None else _milliseconds(opening, "first_ms"),
        peak_memory_bytes=None if opening is None else count(opening, "peak_memory_bytes"),
        preprocessing=None if before is None else _milliseconds(before, "p50"),
        base="" if ratio is None else ratio.text("base"),
        ratio=None if ratio is None else interval(item, "ratio", 0.0, 1e6),
        coverage=None if opening is None else _coverage(opening.child("back_end")),
        fault=text_or_empty(item, "fault"),
    )


def _setting(item: StrictObject) -> str:
    words = []
    if item.has("threads"):
        threads = count(item, "threads", 1)
        words.append(f"{threads} thread{'s' if threads > 1 else ''}")
    if delegate := text_or_empty(item, "delegate"):
        words.append(delegate)
    return ", ".join(words)


def _percentiles(times: StrictObject) -> tuple[float, float, float]:
    p50, p90, p99 = (_milliseconds(times, name) for name in ("p50", "p90", "p99"))
    if not p50 <= p90 <= p99:
        raise times.error("p90", p90, f"between p50, {p50:g}, and p99, {p99:g}")
    return p50, p90, p99


def _milliseconds(item: StrictObject, key: str) -> float:
    value = positive(item, key)
    if value > _LONGEST_MS:
        raise item.error(key, value, f"at most {_LONGEST_MS:g} milliseconds")
    return value


def _coverage(item: StrictObject) -> Coverage:
    covered, operators = count(item, "covered"), count(item, "operators")
    if covered > operators:
        raise item.error("covered", covered, f"at most operators, which is {operators}")
    left = item.child("left")
    partitions = item.content().get("partitions")
    return Coverage(
        asked=item.text("asked"),
        ran=item.text("ran"),
        covered=covered,
        operators=operators,
        partitions=None if partitions is None else count(item, "partitions"),
        left={kind: count(left, kind) for kind in left.content()},
    )


def _target(item: StrictObject, formats: dict[str, str]) -> Target:
    ratio, word = item.child("ratio"), item.text("verdict")
    if word not in ("reached", "missed", "open"):
        raise item.error("verdict", word, "'reached', 'missed' or 'open'")
    file = item.text("file")
    return Target(
        file=file,
        format=formats.get(file, ""),
        base=ratio.text("base"),
        ratio=interval(item, "ratio", 0.0, 1e6),
        limit=positive(item, "limit"),
        verdict=word,
    )
