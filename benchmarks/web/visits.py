"""What phones tell through the page, checked and put on record; several may tell at once."""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from threading import Event, Lock
from typing import Any

import numpy as np

from benchmarks.latency.statistics import summarize
from benchmarks.phone.printable import printable
from benchmarks.phone.records import Ask
from benchmarks.web.document import MOST_PHONES, Document, runtime_of
from benchmarks.web.records import WASM, Answers, Facts, Figures, Row, facts_of
from export.formats import FORMATS
from export.verify import compare, outside
from runtimes.console import note, warn
from runtimes.contract import OUTPUT_NAMES
from runtimes.errors import InputError
from runtimes.prediction import Prediction
from runtimes.strict_json import StrictObject, is_number

MOST_RUNS = 20_000
_LONGEST_MS = 1e7
_LEAST_MS = 1e-3  # in the place of 0, which a coarse clock tells of what is shorter than its step
_BUILDS = {
    "simd": "SIMD",
    "relaxed simd": "relaxed SIMD",
    "compatible": "the build for browsers without relaxed SIMD",
}
_SLACK_S = 1.0  # between this computer's clock and the phone's


@dataclass
class _Visit:
    """What a phone runs at the moment, and since when by this computer's clock."""

    running: Ask | None = None
    began: float = 0.0


@dataclass
class Visits:
    """Takes what pages send.

    Attributes:
        document: takes the rows.
        golden: format to the answers of its own runtime to the golden images.
        threshold: unknown score above which an image is answered "unknown".
        changed: set after each row.
    """

    document: Document
    golden: Mapping[str, Prediction]
    threshold: float
    changed: Event = field(default_factory=Event)
    _visits: dict[str, _Visit] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def enter(self, told: StrictObject) -> dict[str, Any]:
        """Gives a phone its id, or knows it again by the id that it has from an earlier page.

        Where that page ended while a file ran, the file has a row that says so.

        Args:
            told: `facts`; `id`, of an earlier page or null; `again`, whether what had a fault is
                to be run again.

        Raises:
            InputError: it says what cannot be, or there are too many phones.
        """
        facts = facts_of(told.child("facts"))
        name, again = told.text_or_none("id"), told.flag("again")
        told.close()
        with self._lock:
            if name is None or name not in self._visits:
                name = self._new_phone(facts)
                note(f"phone {name}: {facts}")
            visit = self._visits[name]
            if visit.running is not None:
                self._keep(
                    name, Row(visit.running, fault="the page was closed or crashed while it ran")
                )
            asks = self.document.settings.asks()
            left = self.document.left(name, again)
            return {
                "id": name,
                "name": str(facts),
                "left": [asks.index(ask) for ask in left],
                "rows": [self._shown(row) for row in self.document.rows[name].values()],
            }

    def begin(self, told: StrictObject) -> dict[str, Any]:
        """Notes that a phone begins to run a file.

        Raises:
            InputError: an unknown phone or file.
        """
        name, ask = self._which(told)
        told.close()
        with self._lock:
            self._visits[name] = _Visit(ask, time.monotonic())
        return {}

    def end(self, told: StrictObject) -> dict[str, Any]:
        """Puts on record what came of the file that a phone ran, and returns the row.

        Raises:
            InputError: an unknown phone or file, one that was not begun, or what cannot be.
        """
        name, ask = self._which(told)
        with self._lock:
            visit = self._visits[name]
            if visit.running != ask:
                raise InputError(f"{told.origin}: {ask} was not begun; expected {visit.running}.")
            seconds = time.monotonic() - visit.began
        row = self._row(told, ask, seconds)
        told.close()
        with self._lock:
            self._keep(name, row)
            return self._shown(row)

    def finished(self) -> int:
        """How many of the phones that came have nothing left to run."""
        with self._lock:
            return sum(not self.document.left(name) for name in self._visits)

    def phones(self) -> tuple[str, ...]:
        """The ids of the phones that came, in their order."""
        with self._lock:
            return tuple(self._visits)

    def _new_phone(self, facts: Facts) -> str:
        if len(self.document.facts) >= MOST_PHONES:
            raise InputError(
                f"{MOST_PHONES} phones were here already, and a report takes no more. Start again "
                "with another --json."
            )
        name = secrets.token_hex(4)
        while name in self.document.facts:
            name = secrets.token_hex(4)
        self.document.facts[name], self.document.rows[name] = facts, {}
        self._visits[name] = _Visit()
        return name

    def _which(self, told: StrictObject) -> tuple[str, Ask]:
        name, number = told.text("id"), told.integer("ask")
        asks = self.document.settings.asks()
        with self._lock:
            if name not in self._visits:
                raise told.error("id", name[:20], "the id of a phone that entered")
        if not 0 <= number < len(asks):
            raise told.error("ask", number, f"a whole number from 0 to {len(asks) - 1}")
        return name, asks[number]

    def _keep(self, name: str, row: Row) -> None:
        self._visits[name].running = None
        try:
            self.document.add(name, row)
        except InputError as error:  # the phone cannot help it, and goes on
            warn(f"{error} It is tried again after the next file and at the end.")
        left = len(self.document.left(name))
        told = row.fault or (f"p50 {row.figures.p50:.2f} ms" if row.figures else "")
        note(f"phone {name}: {row.ask.file}, threads {row.ask.threads}: {told}; {left} left")
        self.changed.set()

    def _shown(self, row: Row) -> dict[str, Any]:
        answers = row.answers
        return {
            "ask": self.document.settings.asks().index(row.ask),
            "figures": None if row.figures is None else asdict(row.figures),
            "apart": None if answers is None else list(answers.faults),
            "probability": None if answers is None else answers.comparison.to_json()["probability"],
            "fault": row.fault,
            "notes": list(row.notes),
        }

    def _row(self, told: StrictObject, ask: Ask, seconds: float) -> Row:
        hidden, result = told.flag("hidden"), told.child_or_none("result")
        fault = printable(told.text("fault"))
        if (result is None) != bool(fault):
            raise told.error("fault", fault, "words if 'result' is null, and '' if it is not")
        notes = ("the page was in the background meanwhile",) if hidden else ()
        if result is None:
            return Row(ask, seconds=seconds, fault=fault, notes=notes)
        figures = _figures(result, seconds)
        build = result.text("build")
        if build not in _BUILDS:
            raise result.error("build", build, f"one of {', '.join(_BUILDS)}")
        file = next(file for file in self.document.settings.files if file.name == ask.file)
        golden = self.golden[file.format]
        answers = _answers(result.child("answers"), golden)
        result.close()
        tolerance = next(form for form in FORMATS if form.key == file.format).tolerance
        comparison = compare(golden, answers, self.threshold)
        return Row(
            ask,
            ran=f"{runtime_of(file)}, {WASM}, {_BUILDS[build]}",
            figures=figures,
            answers=Answers(comparison, tuple(outside(comparison, tolerance))),
            seconds=seconds,
            notes=notes,
        )


def _figures(result: StrictObject, seconds: float) -> Figures:
    times = result.array("times")
    load, first = result.number("load"), result.number("first")
    if not 1 <= len(times) <= MOST_RUNS:
        raise result.error("times", len(times), f"1 to {MOST_RUNS:,} times")
    numbers = [*times, load, first]
    if not all(is_number(each) and 0 <= each <= _LONGEST_MS for each in numbers):
        raise result.error("times", times[:5], f"numbers from 0 to {_LONGEST_MS:g}")
    if sum(numbers) / 1000 > seconds + _SLACK_S:
        raise result.error(
            "times", round(sum(numbers) / 1000, 1), f"together no more than the {seconds:.1f} s"
        )
    if not np.median(times) > 0:
        raise result.error("times", 0, "a clock that tells one inference from none")
    values = np.maximum(np.asarray(times, np.float64), _LEAST_MS)
    told = summarize(values)
    return Figures(
        runs=told.runs,
        load=max(load, _LEAST_MS),
        first=max(first, _LEAST_MS),
        mean=told.mean,
        deviation=float(values.std()),
        least=told.least,
        most=float(values.max()),
        p50=told.p50,
        p90=told.p90,
        p99=told.p99,
        drift=told.drift,
    )


def _answers(told: StrictObject, golden: Prediction) -> Prediction:
    """Reads float32 answers in base64; each has the shape of the golden ones."""
    found = []
    for name in OUTPUT_NAMES:
        expected = getattr(golden, name)
        text = told.text(name)
        try:
            content = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            content = b""
        if len(content) != 4 * expected.size:
            raise told.error(name, f"{len(content)} bytes", f"{4 * expected.size} bytes in base64")
        found.append(np.frombuffer(content, "<f4").reshape(expected.shape))
    told.close()
    return Prediction(*found)
