"""Times as bars beneath each other, each with its figures beside it."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.report.devices import Timing
from benchmarks.report.page import charts
from benchmarks.report.page.figures import milliseconds
from benchmarks.report.page.markup import Markup, element, joined
from benchmarks.report.page.parts import timing_name


def bar_keys(names: Sequence[str]) -> Markup:
    """Names of the times in a bar, the shortest first, each with its shade."""
    pairs = zip(names, charts.SHADES, strict=False)
    return joined((element("span", name, class_=f"key {shade}") for name, shade in pairs), " ")


def time_bar(row: Timing, times: dict[str, float], longest: float) -> Markup:
    """One line: what was timed, its times in milliseconds, and the bar."""
    return element(
        "li",
        element("span", timing_name(row), class_="of"),
        element("span", " / ".join(map(milliseconds, times.values())), class_="ms"),
        charts.bars(times, longest),
    )
