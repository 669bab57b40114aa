"""The beginning of a page: what may be shipped, what is different, and the picture of all three."""

from __future__ import annotations

from benchmarks.report.changes import Change, Changes
from benchmarks.report.devices import Device
from benchmarks.report.page import charts
from benchmarks.report.page.figures import (
    NONE,
    megabytes,
    milliseconds,
    percent,
    points,
    signed_megabytes,
)
from benchmarks.report.page.markup import Markup, element, joined, table
from benchmarks.report.page.parts import cite, code, figure, items, missing, paragraph, section
from benchmarks.report.pareto import Point
from benchmarks.report.report import Report
from benchmarks.report.verdicts import FAILED, PASSED, UNMEASURED

_BADGES = {PASSED: "passed", FAILED: "failed", UNMEASURED: "not measured"}


def verdict_section(report: Report) -> Markup:
    """Every file with its verdict and one sentence, then what is to be read with care."""
    rows = [
        element(
            "li",
            element("span", _BADGES[found.word], class_=f"badge {found.word}"),
            element("span", code(found.format), class_="format"),
            element("span", found.sentence, class_="why"),
        )
        for found in report.verdicts
    ]
    other = ("contract", "quantization", "opinions", "arm")  # decide nothing here
    sources = [source.copy for source in report.sources if source.role not in other]
    parts: list[object] = [
        paragraph(report.headline, class_="headline"),
        element("ul", *rows, class_="verdicts"),
        paragraph(cite(report, sources)),
    ]
    if any(item.what == "export check" for item in report.found.missing):
        parts.append(missing(report, "export check"))
    if report.found.notes:
        notes = [joined((code(note.source), ": ", note.sentence)) for note in report.found.notes]
        parts += [element("h3", "Read with care"), items(notes)]
    return section(report, "verdict", "Verdict", *parts)


def changes_section(report: Report) -> Markup:
    """What changed since an older report; nothing if none was named."""
    found = report.changes
    if found is None:
        return Markup("")
    return section(report, "changes", f"Since the report of {found.name}", *_changes(found))


def _changes(found: Changes) -> list[object]:
    parts: list[object] = []
    student = "The student is the same." if found.same_student else "The student is another one."
    parts.append(paragraph(student))
    if not found.same_images:
        sentence = (
            "The two reports have another number of test images, or one has none: differences of "
            "accuracy are not between equals."
        )
        parts.append(paragraph(sentence))
    for word, formats in (("New", found.new), ("Vanished", found.vanished)):
        if formats:
            names = joined((code(form) for form in formats), ", ")
            parts.append(paragraph(f"{word}: ", names, "."))
    if not found.rows:
        return [*parts, paragraph("No file stands in both reports.")]
    heads = ("format", "verdict", "content", "Δ MB", "Δ accuracy", "Δ balanced", "Δ agreement")
    rows = [_change(row) for row in found.rows]
    parts.append(table((*heads, "ratio to base"), rows, "Changes of every file"))
    words = "Differences are this report minus the older one, accuracies in percentage points."
    return [*parts, paragraph(words, class_="quiet")]


def _change(row: Change) -> tuple[object, ...]:
    before, after = (_BADGES.get(word, word) for word in row.verdicts)
    ratios = [
        f"{old:.3f} → {new:.3f} of {base} on {device}" for device, base, old, new in row.ratios
    ]
    return (
        row.format,
        Markup(before) if before == after and before in _BADGES.values() else f"{before} → {after}",
        "the same" if row.same_content else "another",
        signed_megabytes(row.bytes),
        *(points(value) for value in (row.accuracy, row.balanced_accuracy, row.agreement)),
        "; ".join(ratios) or NONE,
    )


def pareto_section(report: Report) -> Markup:
    """Accuracy against latency against size, a picture for each device."""
    parts: list[object] = []
    if any(report.points):
        sentence = (
            "The area of a disc is the size of the file. The whisker is the 95 % interval of its "
            "difference to torch in float32 (dashed), paired over lesions. Ringed: no other file "
            "is at least as good in all three and better in one, by the values."
        )
        parts.append(paragraph(sentence, class_="quiet"))
    if report.found.test_side is None:
        parts.append(missing(report, "parity"))
    if not report.found.devices:
        parts.append(missing(report, "latency"))
    for device, found in zip(report.found.devices, report.points, strict=True):
        if found:
            parts.append(_pareto(report, device, found))
        elif report.found.test_side is not None:
            sentence = f"On {device.name} no file has both a time and a balanced accuracy."
            parts.append(paragraph(sentence))
    return section(report, "pareto", "Accuracy, latency, size", *parts)


def _pareto(report: Report, device: Device, found: tuple[Point, ...]) -> Markup:
    side = report.found.test_side
    assert side is not None
    reference = side.reference.metrics["balanced_accuracy"].value
    assert reference is not None
    front = [point.format for point in found if point.front]
    shown = {point.format for point in found}
    without = [file.format for file in report.found.export.files if file.format not in shown]
    caption = joined(
        (
            element("strong", device.name),
            ": no other file beats ",
            joined((code(form) for form in front), ", "),
            ".",
            "" if device.measure == "p50" else " Times are means: not every run tells a p50.",
            f" Without a time here or an accuracy: {', '.join(without)}." if without else "",
        )
    )
    rows = [
        (
            f"{point.format}, {point.setting}" if point.setting else point.format,
            percent(point.balanced_accuracy, 2),
            milliseconds(point.latency),
            megabytes(point.bytes),
            "yes" if point.front else "no",
        )
        for point in sorted(found, key=lambda point: point.latency)
    ]
    heads = ("format", "balanced accuracy, %", f"{device.measure}, ms", "MB", "unbeaten")
    sources = (report.found.source("parity"), device.source, report.found.source("manifest"))
    picture = charts.scatter(found, reference, device.name, device.measure)
    return figure(
        report, sources, caption, picture, table(heads, rows, f"The same for {device.name}")
    )
