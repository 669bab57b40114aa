"""Times on a device: what they are, and those that `python -m benchmarks latency --json` wrote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.latency.opening import MACOS_ONLY
from benchmarks.phone import document as phone_document
from benchmarks.report.document import Document
from benchmarks.report.export import Export
from benchmarks.report.fields import Interval, count, interval, positive, text_or_empty
from benchmarks.report.match import check_any, owner
from benchmarks.web import document as web_document
from runtimes.errors import InputError
from runtimes.strict_json import StrictObject

REMAKE = "python -m benchmarks latency {folder} --json {figures}/latency.json"
MOST_ROWS = 500
LONGEST_MS = 1e7


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
class PhoneRun:
    """What a phone's runner tells of one run, times in milliseconds; None where it tells none.

    Attributes:
        asked: the delegate.
        ran: the delegate that did; "" where none did.
        graph: "whole graph", "part of the graph" or "not told"; "" where nothing ran.
        deviation: standard, of the single inferences.
        cool: whether the phone was cool when it began.
        notes: what the reader of the times has to know.
        probability: largest difference of a probability from the golden answers of the export;
            None where they were not compared.
        apart: what of the answers is outside of the format's tolerance, in words; () if nothing.
    """

    asked: str
    ran: str
    graph: str
    mean: float | None
    deviation: float | None
    least: float | None
    most: float | None
    p95: float | None
    cool: bool | None
    notes: tuple[str, ...]
    probability: float | None = None
    apart: tuple[str, ...] = ()

    @property
    def is_other(self) -> bool:
        """Whether something else ran than was asked for, or the runner does not tell."""
        return bool(self.ran) and self.ran != self.asked


@dataclass(frozen=True)
class Timing:
    """One file on one device, times in milliseconds.

    Attributes:
        name: of the file.
        format: of this export's file with that content; "" for any other.
        kind: "own", "peer", or "other": a file that is neither of this export nor a peer.
        setting: threads and delegate as they were asked for, where a device has more than one.
        runs: inferences; 0 where there are no times.
        ratio: to `base`, paired by round.
        fault: why there are no times, in words.
        phone: what only phones tell; None for any other device.
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
    phone: PhoneRun | None = None

    @property
    def mean(self) -> float | None:
        """Of the times, where the device tells it."""
        return None if self.phone is None else self.phone.mean

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
        left: how many runs are still to be made.
    """

    name: str
    about: tuple[str, ...]
    source: str
    rows: tuple[Timing, ...]
    targets: tuple[Target, ...]
    fault: str
    left: int = 0

    @property
    def measure(self) -> str:
        """What its files are compared by: "p50", or "mean" where one has no p50."""
        timed = [row for row in self.rows if row.runs]
        return "p50" if all(row.p50 is not None for row in timed) else "mean"

    def time(self, row: Timing) -> float | None:
        """Returns the time by which a row of this device is compared."""
        return row.p50 if self.measure == "p50" else row.mean


def read_record(
    document: Document,
    export: Export,
    remake: str,
    remedy: str,
    name: Callable[[StrictObject], str],
) -> tuple[StrictObject, list[tuple[StrictObject, bool]]]:
    """Returns the settings of a record of phones, and each phone with whether its name is shared.

    Args:
        document: of any kind of phones.
        export: of the report.
        remake: the command that writes the document anew.
        remedy: a sentence that tells what to do about an empty one.
        name: of a phone, from its `facts`.

    Raises:
        InputError: empty, with too many rows, or with none of this export's files.
    """
    settings, phones = document.root.child("settings"), document.root.children("phones")
    hashes = [item.text("sha256") for item in settings.children("files")]
    if not hashes or not phones:
        key = "phones" if hashes else "settings.files"
        raise InputError(f"{document.path}: '{key}' is empty. {remedy}")
    check_rows(document, sum(len(phone.array("rows")) for phone in phones), "phones[].rows")
    check_any(document, export, hashes, "settings.files", remake)
    names = [name(phone.child("facts")) for phone in phones]
    return settings, [
        (phone, names.count(own) > 1) for phone, own in zip(phones, names, strict=True)
    ]


def check_rows(document: Document, rows: int, key: str) -> None:
    """Checks that a page can show all rows.

    Raises:
        InputError: there are more than `MOST_ROWS`.
    """
    if rows > MOST_ROWS:
        raise InputError(
            f"{document.path}: '{key}' has {rows:,} rows; expected at most {MOST_ROWS}."
        )


def read_machine(document: Document, export: Export, remake: str) -> Device:
    """Reads a latency file.

    Raises:
        InputError: damaged, or with none of this export's files.
    """
    item = document.root
    if text_or_empty(item, "schema") in (phone_document.SCHEMA, web_document.SCHEMA):
        raise InputError(f"{document.path}: these are times of phones; name it with --phone.")
    hashes = [row.text("sha256") for row in item.children("files")]
    check_rows(document, len(hashes), "files")
    check_any(document, export, hashes, "files", remake)
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
        setting="",
        bytes=count(item, "size") if item.has("size") else None,
        runs=0 if times is None else count(times, "runs", 1),
        p50=p50,
        p90=p90,
        p99=p99,
        drift=None if times is None or not times.has("drift") else positive(times, "drift"),
        load=None if opening is None else milliseconds(opening, "load_ms"),
        first=None if opening is None else milliseconds(opening, "first_ms"),
        peak_memory_bytes=None if opening is None else count(opening, "peak_memory_bytes"),
        preprocessing=None if before is None else milliseconds(before, "p50"),
        base="" if ratio is None else ratio.text("base"),
        ratio=None if ratio is None else interval(item, "ratio", 0.0, 1e6),
        coverage=None if opening is None else _coverage(opening.child("back_end")),
        fault=text_or_empty(item, "fault"),
    )


def _percentiles(times: StrictObject) -> tuple[float, float, float]:
    p50, p90, p99 = (milliseconds(times, name) for name in ("p50", "p90", "p99"))
    if not p50 <= p90 <= p99:
        raise times.error("p90", p90, f"between p50, {p50:g}, and p99, {p99:g}")
    return p50, p90, p99


def milliseconds(item: StrictObject, key: str) -> float:
    """Takes a time that one inference can take."""
    value = positive(item, key)
    if value > LONGEST_MS:
        raise item.error(key, value, f"at most {LONGEST_MS:g} milliseconds")
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
