"""Times on phones, under the names that their runner gives them, and what ran there."""

from __future__ import annotations

from benchmarks.report.devices import Device, PhoneRun, Timing
from benchmarks.report.page.bars import bar_keys, time_bar
from benchmarks.report.page.figures import NONE, megabytes, milliseconds
from benchmarks.report.page.markup import Markup, element, joined, table
from benchmarks.report.page.parts import code, figure, items, paragraph, timing_name
from benchmarks.report.report import Report


def times_of_phone(report: Report, device: Device) -> list[object]:
    """The bars, the table and the notes of a phone; nothing for any other device."""
    runs = [(row, row.phone) for row in device.rows if row.phone is not None and row.runs]
    if not runs:
        return []
    # The longest time is one hiccup among hundreds: it stands in the table, and scales no bar.
    names = _in_bar(runs, device)
    bars = [(row, _times(row, run, names)) for row, run in runs]
    longest = max(max(times.values()) for _, times in bars)
    shown = element("ul", *(time_bar(row, times, longest) for row, times in bars), class_="times")
    caption = joined(("Milliseconds a run, batch 1: ", bar_keys(names), "."))
    about = (
        "Every run, with the threads and the delegate that it was asked for. Times are the "
        "runner's own: ± is the standard deviation of the single inferences, first is the first "
        "inference, load the time to open the file and apply the delegate; Δp is by how much a "
        "probability differs from the golden answers of the export, where the runner answers."
    )
    parts: list[object] = [
        figure(report, (device.source,), caption, shown),
        figure(report, (device.source,), about, _details(runs, device)),
    ]
    noted = [
        joined((code(timing_name(row)), ": ", "; ".join(words)))
        for row, run in runs
        if (words := _words(run))
    ]
    if noted:
        parts += [paragraph("To be known of these runs:"), items(noted)]
    return parts


def _in_bar(runs: list[tuple[Timing, PhoneRun]], device: Device) -> tuple[str, ...]:
    """Names of the times that every run has, the shortest first."""
    if device.measure == "mean":
        return ("least", "mean")
    if all(row.p90 is not None and row.p99 is not None for row, _ in runs):
        return ("p50", "p90", "p99")
    return ("p50", "p95") if all(run.p95 is not None for _, run in runs) else ("least", "p50")


def _times(row: Timing, run: PhoneRun, names: tuple[str, ...]) -> dict[str, float]:
    times = {"least": run.least, "mean": run.mean, "p50": row.p50, "p90": row.p90}
    times |= {"p95": run.p95, "p99": row.p99}
    return {name: value for name in names if (value := times[name]) is not None}


def _words(run: PhoneRun) -> list[str]:
    words = list(run.notes)
    if run.is_other:
        words.append(f"asked for {run.asked}; what ran: {run.ran}")
    if run.cool is False:
        words.append("it began warm")
    if run.apart:
        words.append(f"other answers than at the export: {'; '.join(run.apart)}")
    return words


def _details(runs: list[tuple[Timing, PhoneRun]], device: Device) -> Markup:
    columns: dict[str, list[str]] = {
        "ran": [_ran(run) for _, run in runs],
        "inferences": [f"{row.runs:,}" for row, _ in runs],
        "p50": [milliseconds(row.p50) for row, _ in runs],
        "p90": [milliseconds(row.p90) for row, _ in runs],
        "p95": [milliseconds(run.p95) for _, run in runs],
        "p99": [milliseconds(row.p99) for row, _ in runs],
        "mean": [f"{milliseconds(run.mean)} ± {milliseconds(run.deviation)}" for _, run in runs],
        "least": [milliseconds(run.least) for _, run in runs],
        "most": [milliseconds(run.most) for _, run in runs],
        "first": [milliseconds(row.first) for row, _ in runs],
        "load": [milliseconds(row.load) for row, _ in runs],
        "peak memory, MB": [megabytes(row.peak_memory_bytes, 0) for row, _ in runs],
        "largest Δp": [
            NONE if run.probability is None else f"{run.probability:.1e}" for _, run in runs
        ],
        "MB": [megabytes(row.bytes) for row, _ in runs],
    }
    told = {name: cells for name, cells in columns.items() if set(cells) != {NONE}}
    cells = list(zip([timing_name(row) for row, _ in runs], *told.values(), strict=True))
    return table(("file", *told), cells, f"Times on {device.name}")


def _ran(run: PhoneRun) -> str:
    return f"{run.ran}, {run.graph}" if run.graph == "part of the graph" else run.ran


def ran_on_phones(report: Report) -> list[object]:
    """The delegate that was asked for beside the one that ran, phone by phone."""
    found = [
        (device, row, row.phone)
        for device in report.found.devices
        for row in device.rows
        if row.phone is not None and row.phone.ran
    ]
    if not found:
        return []
    heads = ("file", "asked for", "ran", "how much of the graph", "device")
    cells = [
        (timing_name(row), run.asked, run.ran, run.graph, device.name) for device, row, run in found
    ]
    caption = "On phones: the delegate that was asked for, and what ran by the runner's own words."
    sources = [device.source for device, _, _ in found]
    return [figure(report, sources, caption, table(heads, cells, caption))]
