"""What was asked of a phone and what came of it: one row a run, as data and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.phone.state import State
from runtimes.strict_json import StrictObject

DELEGATES = ("cpu", "xnnpack", "gpu")


@dataclass(frozen=True)
class Ask:
    """One run: a file, the CPU threads it may use, and the delegate it is to use.

    Attributes:
        file: its name.
        threads: for what runs on the CPU.
        delegate: "cpu" (TFLite's own kernels), "xnnpack" or "gpu".
    """

    file: str
    threads: int
    delegate: str

    def __str__(self) -> str:
        return f"{self.file}, {self.threads} threads, {self.delegate}"

    @classmethod
    def from_json(cls, value: StrictObject) -> Ask:
        """Reads what `asdict` gave."""
        ask = cls(value.text("file"), value.integer("threads"), value.text("delegate"))
        value.close()
        return ask


@dataclass(frozen=True)
class Ran:
    """What ran, as the runner told it, which need not be what was asked.

    Attributes:
        delegate: "cpu", "xnnpack", "gpu", another delegate's name, or "not told".
        coverage: "whole graph", "part of the graph" or "not told".
    """

    delegate: str
    coverage: str

    def __str__(self) -> str:
        part = self.coverage == "part of the graph"
        return f"{self.delegate}, {self.coverage}" if part else self.delegate


@dataclass(frozen=True)
class Figures:
    """Times in milliseconds and memory in MB (1e6 bytes); None where the runner tells none."""

    runs: int
    load: float
    first: float
    mean: float
    deviation: float
    least: float
    most: float
    p50: float | None
    p95: float | None
    peak_mb: float | None


@dataclass(frozen=True)
class Row:
    """One run.

    Attributes:
        ran: None where nothing did.
        figures: likewise.
        before, after: the phone's state; None where it could not be asked.
        waited: seconds of cooling down before it.
        cool: whether the phone was cool when it began; None where it did not begin.
        seconds: that the run took by this computer's clock.
        fault: why there are no figures; "" if there are.
        notes: what the reader of the figures has to know.
    """

    ask: Ask
    ran: Ran | None = None
    figures: Figures | None = None
    before: State | None = None
    after: State | None = None
    waited: float = 0.0
    cool: bool | None = None
    seconds: float = 0.0
    fault: str = ""
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        parts = {"ran": self.ran, "figures": self.figures}
        states = {"before": self.before, "after": self.after}
        return {
            "asked": asdict(self.ask),
            **{name: None if part is None else asdict(part) for name, part in parts.items()},
            **{name: None if part is None else part.to_json() for name, part in states.items()},
            "waited_s": round(self.waited, 1),
            "cool": self.cool,
            "took_s": round(self.seconds, 3),
            "fault": self.fault,
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, value: StrictObject) -> Row:
        """Reads what `to_json` gave."""
        ran, figures, before, after = (
            value.child_or_none(name) for name in ("ran", "figures", "before", "after")
        )
        waited, seconds = value.number("waited_s"), value.number("took_s")
        row = cls(
            ask=Ask.from_json(value.child("asked")),
            ran=_ran(ran) if ran else None,
            figures=_figures(figures) if figures else None,
            before=State.from_json(before) if before else None,
            after=State.from_json(after) if after else None,
            waited=waited,
            cool=value.flag_or_none("cool"),
            seconds=seconds,
            fault=value.text("fault"),
            notes=value.texts("notes"),
        )
        value.close()
        return row


def _ran(value: StrictObject) -> Ran:
    ran = Ran(value.text("delegate"), value.text("coverage"))
    value.close()
    return ran


def _figures(value: StrictObject) -> Figures:
    runs = value.integer("runs")
    sure = {name: value.number(name) for name in ("load", "first", "mean", "deviation")}
    sure |= {name: value.number(name) for name in ("least", "most")}
    perhaps = {name: value.number_or_none(name) for name in ("p50", "p95", "peak_mb")}
    value.close()
    return Figures(runs=runs, **sure, **perhaps)  # type: ignore[arg-type]
