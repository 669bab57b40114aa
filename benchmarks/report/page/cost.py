"""Cost: operations against the paper, times on each device, and what really ran."""

from __future__ import annotations

from benchmarks.report.costs import Cost, Costs
from benchmarks.report.devices import Coverage, Device, Timing
from benchmarks.report.page.bars import bar_keys, time_bar
from benchmarks.report.page.figures import NONE, megabytes, milliseconds, ratio
from benchmarks.report.page.markup import Markup, element, joined, table
from benchmarks.report.page.parts import (
    code,
    figure,
    items,
    missing,
    paragraph,
    section,
    timing_name,
)
from benchmarks.report.page.phones import ran_on_phones, times_of_phone
from benchmarks.report.report import Report


def costs_section(report: Report) -> Markup:
    """Operations, parameters and memory, of the paper's networks and of every file."""
    found = report.found.costs
    if found is None:
        return section(report, "flops", "Operations and memory", missing(report, "flops"))
    sources = (report.found.source("flops"),)
    words = [joined((code(name), ": ", text)) for name, text in found.convention.items()]
    parts = (
        figure(report, sources, _about_networks(found), _networks(found)),
        figure(report, sources, "The files, by their own operators.", _files(found)),
        element("h3", "Conventions"),
        items(words),
    )
    return section(report, "flops", "Operations and memory", *parts)


def _about_networks(found: Costs) -> str:
    sizes = sorted({network.size for network in found.networks})
    size = " and ".join(f"{side} × {side}" for side in sizes)
    return (
        f"Torch modules on one image of {size} pixels, beside what the paper says of them (Wang et "
        "al. 2023); what it calls FLOPs are multiply-accumulates with those of BatchNorm."
    )


def _networks(found: Costs) -> Markup:
    heads = (
        *("network", "classes", "G MACs", "with BatchNorm", "the paper's", "Δ %"),
        *("G FLOPs", "M parameters", "the paper's", "peak activations, MB"),
    )
    rows = []
    for network in found.networks:
        cost, paper = network.cost, network.paper_giga_macs
        whole, size = cost.macs_with_batchnorm / 1e9, network.paper_mega_parameters
        rows.append(
            (
                network.architecture,
                f"{network.classes:,}",
                f"{cost.macs / 1e9:.4f}",
                f"{whole:.4f}",
                NONE if paper is None else f"{paper:.2f}",
                NONE if paper is None else f"{100 * (whole / paper - 1):+.1f}",
                f"{cost.flops / 1e9:.4f}",
                f"{cost.parameters / 1e6:.3f}",
                NONE if size is None else f"{size:.1f}",
                megabytes(cost.peak_activation_bytes),
            )
        )
    return table(heads, rows, "Networks beside the paper")


def _files(found: Costs) -> Markup:
    heads = ("file", "MB", "G MACs", "G FLOPs", "M parameters", "peak activations, MB", "operators")
    rows = [
        (file.format or file.name, megabytes(file.bytes), *_cost(file.cost), file.fault)
        for file in found.files
    ]
    return table((*heads, ""), rows, "Files by their own operators")


def _cost(cost: Cost | None) -> tuple[str, ...]:
    if cost is None:
        return (NONE,) * 5
    return (
        f"{cost.macs / 1e9:.4f}",
        f"{cost.flops / 1e9:.4f}",
        f"{cost.parameters / 1e6:.3f}",
        megabytes(cost.peak_activation_bytes),
        f"{cost.operators:,}",
    )


def latency_section(report: Report) -> Markup:
    """Times, device by device."""
    if not report.found.devices:
        return section(report, "latency", "Latency", missing(report, "latency"))
    parts = [part for device in report.found.devices for part in _device(report, device)]
    return section(report, "latency", "Latency", *parts)


def _device(report: Report, device: Device) -> list[object]:
    parts: list[object] = [element("h3", device.name), items(device.about, class_="quiet")]
    if device.fault:
        parts.append(paragraph(device.fault, class_="missing"))
    timed = [row for row in device.rows if row.p99 is not None and row.phone is None]
    if timed:
        longest = max(row.p99 or 0 for row in timed)
        bars = [_bar(row, longest) for row in timed]
        runs = sorted({row.runs for row in timed})
        amount = f"{runs[0]:,}" if len(runs) == 1 else f"{runs[0]:,} to {runs[-1]:,}"
        keys = bar_keys(("p50", "p90", "p99"))
        caption = joined((f"Milliseconds of {amount} inferences a file, batch 1: ", keys, "."))
        shown = element("ul", *bars, class_="times")
        parts.append(figure(report, (device.source,), caption, shown))
        about = (
            "Beside the single times, the ratio to the base, paired by round, with its 95 % "
            "interval; drift is the last quarter's median by the first's. Preprocessing is apart."
        )
        parts.append(figure(report, (device.source,), about, _details(timed, device)))
    parts += times_of_phone(report, device)
    lost = [joined((code(timing_name(row)), ": ", row.fault)) for row in device.rows if row.fault]
    if lost:
        parts += [paragraph("Not timed:"), items(lost)]
    if device.targets:
        words = [
            f"{target.format or target.file}: {target.verdict}: {ratio(target.ratio)} of "
            f"{target.base}'s time, asked {target.limit:.2f}"
            for target in device.targets
        ]
        parts += [paragraph("Targets of speed:"), items(words)]
    return parts


def _bar(row: Timing, longest: float) -> Markup:
    assert row.p50 is not None
    assert row.p90 is not None
    assert row.p99 is not None
    return time_bar(row, {"p50": row.p50, "p90": row.p90, "p99": row.p99}, longest)


def _details(rows: list[Timing], device: Device) -> Markup:
    """A table of the figures that this device has."""
    columns: dict[str, list[str]] = {
        "p50": [milliseconds(row.p50) for row in rows],
        "ratio to base": [ratio(row.ratio) for row in rows],
        "base": [row.base or NONE for row in rows],
        "first": [milliseconds(row.first) for row in rows],
        "load": [milliseconds(row.load) for row in rows],
        "drift": [NONE if row.drift is None else f"{row.drift:.2f}" for row in rows],
        "preprocess": [milliseconds(row.preprocessing) for row in rows],
        "peak memory, MB": [megabytes(row.peak_memory_bytes, 0) for row in rows],
        "MB": [megabytes(row.bytes) for row in rows],
    }
    told = {name: cells for name, cells in columns.items() if set(cells) != {NONE}}
    names = [timing_name(row) for row in rows]
    cells = list(zip(names, *told.values(), strict=True))
    return table(("file", *told), cells, f"Times on {device.name}")


def coverage_section(report: Report) -> Markup:
    """Which back end was asked for, and which ran how many operators."""
    rows = [
        (device, row, row.coverage)
        for device in report.found.devices
        for row in device.rows
        if row.coverage is not None
    ]
    title = "What really ran"
    if not report.found.devices:
        return section(report, "coverage", title, missing(report, "latency"))
    parts: list[object] = []
    if rows:
        heads = ("file", "asked for", "ran", "share, %", "left to others", "device")
        cells = [_covered(device, row, coverage) for device, row, coverage in rows]
        caption = "The back end that was asked for, and what it took of each file's operators."
        sources = [device.source for device, _, _ in rows]
        parts.append(figure(report, sources, caption, table(heads, cells, caption)))
    parts += ran_on_phones(report)
    return section(report, "coverage", title, *(parts or [paragraph("No device told.")]))


def _covered(device: Device, row: Timing, found: Coverage) -> tuple[str, ...]:
    share = NONE if not found.operators else f"{100 * found.covered / found.operators:.1f}"
    left = ", ".join(f"{kind} {count}" for kind, count in found.left.items())
    return (timing_name(row), found.asked, found.ran, share, left or NONE, device.name)
