"""What a browser is, and what came of one file in it: as data and as JSON."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.phone.printable import printable
from benchmarks.phone.records import Ask
from export.verify import Comparison
from runtimes.strict_json import StrictObject

WASM = "wasm"
NOT_TOLD = "not told"
_LONGEST = 300
# The first that is found counts: most browsers also name those that they want to be taken for.
_BROWSERS = (
    *(("Samsung Internet", r"SamsungBrowser/(\d+)"), ("Edge", r"Edg(?:A|iOS)?/(\d+)")),
    *(("Opera", r"OPR/(\d+)"), ("Firefox", r"(?:Firefox|FxiOS)/(\d+)")),
    *(("Chrome", r"(?:HeadlessChrome|Chrome|CriOS)/(\d+)"), ("Safari", r"Version/(\d+).*Safari/")),
)
_SYSTEMS = (
    *(("Android", "Android"), ("iOS", "iPhone|iPad|iPod"), ("ChromeOS", "CrOS")),
    *(("Windows", "Windows"), ("macOS", "Macintosh"), ("Linux", "Linux")),
)


@dataclass(frozen=True)
class Facts:
    """What a browser tells of itself and its device.

    Attributes:
        browser: name and version.
        system: name; with its version where the browser tells a true one.
        model: of the phone, or "not told".
        cores: that it tells; browsers may tell fewer than there are.
        isolated: whether its page may use threads.
        clock_ms: the smallest step of its clock.
        agent: its User-Agent.
    """

    browser: str
    system: str
    model: str
    cores: int
    isolated: bool
    clock_ms: float
    agent: str

    def __str__(self) -> str:
        model = "" if self.model == NOT_TOLD else f"{self.model}, "
        return f"{model}{self.browser} on {self.system}, {self.cores} cores"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: StrictObject) -> Facts:
        """Reads what `to_json` gave."""
        facts = cls(
            browser=value.text("browser"),
            system=value.text("system"),
            model=value.text("model"),
            cores=value.integer("cores"),
            isolated=value.flag("isolated"),
            clock_ms=value.number("clock_ms"),
            agent=value.text("agent"),
        )
        value.close()
        return facts


def facts_of(told: StrictObject) -> Facts:
    """Reads what a page tells; texts are cut short and made printable.

    Raises:
        InputError: a key is missing, unknown or of another type, or a number cannot be.
    """
    agent = printable(told.text("agent"), _LONGEST)
    version, model = (printable(told.text(key), 60) for key in ("system_version", "model"))
    cores, clock = told.integer("cores"), told.number("clock_ms")
    isolated = told.flag("isolated")
    told.close()
    if not 1 <= cores <= 1024:
        raise told.error("cores", cores, "a whole number from 1 to 1024")
    if not 0 <= clock <= 1000:
        raise told.error("clock_ms", clock, "a number from 0 to 1000")
    system = next((name for name, mark in _SYSTEMS if re.search(mark, agent)), NOT_TOLD)
    return Facts(
        browser=_browser(agent),
        system=f"{system} {version}".strip(),
        model=model or NOT_TOLD,
        cores=cores,
        isolated=isolated,
        clock_ms=clock,
        agent=agent,
    )


def _browser(agent: str) -> str:
    for name, pattern in _BROWSERS:
        if match := re.search(pattern, agent):
            return f"{name} {match[1][:6]}"
    return NOT_TOLD


@dataclass(frozen=True)
class Figures:
    """Times of one file in milliseconds, from pixels in to answers out.

    Attributes:
        runs: inferences.
        load: to open the file, without fetching it.
        first: the first inference.
        drift: the last quarter's median by the first's.
    """

    runs: int
    load: float
    first: float
    mean: float
    deviation: float
    least: float
    most: float
    p50: float
    p90: float
    p99: float
    drift: float


@dataclass(frozen=True)
class Answers:
    """The browser's answers to the golden images beside those of the exporting machine.

    Attributes:
        comparison: with the file's own runtime there.
        faults: what is outside of the format's tolerance; () if nothing is.
    """

    comparison: Comparison
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One file in one browser.

    Attributes:
        ask: what was to be run.
        ran: the runtime's build that did; "" where none did.
        figures: None where there are none.
        answers: likewise.
        seconds: that it took by this computer's clock.
        fault: why there are no figures; "" if there are.
        notes: what the reader of the figures has to know.
    """

    ask: Ask
    ran: str = ""
    figures: Figures | None = None
    answers: Answers | None = None
    seconds: float = 0.0
    fault: str = ""
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        answers = self.answers
        return {
            "asked": asdict(self.ask),
            "ran": self.ran,
            "figures": None if self.figures is None else asdict(self.figures),
            "answers": None
            if answers is None
            else {"comparison": answers.comparison.to_json(), "faults": list(answers.faults)},
            "took_s": round(self.seconds, 3),
            "fault": self.fault,
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, value: StrictObject) -> Row:
        """Reads what `to_json` gave."""
        figures, answers = (value.child_or_none(name) for name in ("figures", "answers"))
        row = cls(
            ask=Ask.from_json(value.child("asked")),
            ran=value.text("ran"),
            figures=None if figures is None else _figures(figures),
            answers=None if answers is None else _answers(answers),
            seconds=value.number("took_s"),
            fault=value.text("fault"),
            notes=value.texts("notes"),
        )
        value.close()
        return row


def _figures(value: StrictObject) -> Figures:
    names = (name for name in Figures.__dataclass_fields__ if name != "runs")
    figures = Figures(value.integer("runs"), **{name: value.number(name) for name in names})
    value.close()
    return figures


def _answers(value: StrictObject) -> Answers:
    told = value.child("comparison")
    names = (name for name in Comparison.__dataclass_fields__ if name != "images")
    numbers = {name: told.number_or_none(name) for name in names}
    comparison = Comparison(
        images=told.integer("images"),
        **{name: float("inf") if number is None else number for name, number in numbers.items()},
    )
    told.close()
    answers = Answers(comparison, value.texts("faults"))
    value.close()
    return answers
