"""Records of phones as `python -m benchmarks phone --json` writes them, from its own objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.latency.files import TimedFile
from benchmarks.phone.benchmark_model import BenchmarkModel
from benchmarks.phone.cooling import CoolDown
from benchmarks.phone.document import Document, Settings
from benchmarks.phone.facts import Facts
from benchmarks.phone.records import Ask, Figures, Ran, Row
from benchmarks.phone.runner import Amount
from benchmarks.phone.state import State

PHONE = Facts("Fake", "Phone <1>", "Nobody N1", "15", "35", "arm64-v8a", "AP4A.250105.002")
FIGURES = Figures(
    *(128, 31.5, 19.25, 12.125, 1.5, 11.5, 48.75), p50=11.875, p95=13.625, peak_mb=42.0
)
_COOL, _WARM = State(0, 81, 30.0, (1803.0,)), State(2, 80, 39.5, (1401.0,))
DELEGATES = ("xnnpack", "gpu")


def rows_of(files: Sequence[TimedFile], figures: Figures = FIGURES) -> list[Row]:
    """A row a file and delegate with 4 threads, each as it was asked for."""
    return [
        Row(
            Ask(file.name, 4, delegate),
            Ran(delegate, "whole graph"),
            figures,
            before=_COOL,
            after=_WARM,
            cool=True,
            seconds=11.0,
        )
        for file in files
        for delegate in DELEGATES
    ]


def record(files: Sequence[TimedFile], phones: dict[str, tuple[Facts, Sequence[Row]]]) -> Document:
    """A record with these rows; what is missing of every file and delegate was not run."""
    settings = Settings(
        files=tuple(files),
        threads=(4,),
        delegates=DELEGATES,
        amount=Amount(128, 10.0, 300.0),
        cool_down=CoolDown(300.0, 38.0),
        runner=BenchmarkModel(Path("benchmark_model"), "b" * 64),
    )
    document = Document(settings, None)
    for phone, (facts, rows) in phones.items():
        document.add_phone(phone, facts)
        for row in rows:
            document.add(phone, row)
    return document


def without_percentiles(figures: Figures = FIGURES) -> Figures:
    """What an older runner tells."""
    return replace(figures, p50=None, p95=None)
