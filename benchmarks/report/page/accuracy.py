"""Accuracy: every file beside torch, results by class, calibration, ways to int8."""

from __future__ import annotations

from benchmarks.report.accuracy import Parity, TestSide
from benchmarks.report.evaluation import Evaluation
from benchmarks.report.page import charts
from benchmarks.report.page.figures import (
    NONE,
    percent,
    percent_interval,
    points,
    points_interval,
    small,
    small_interval,
)
from benchmarks.report.page.markup import Markup, element, joined, table
from benchmarks.report.page.parts import figure, missing, paragraph, section
from benchmarks.report.report import Report
from benchmarks.report.verdicts import FAILED, PASSED


def parity_section(report: Report) -> Markup:
    """The table of all files on the test side, with intervals."""
    side, parts = report.found.test_side, []
    if side is None:
        parts.append(missing(report, "parity"))
    else:
        parts.append(_parity(report, side))
    checks = [file for file in report.found.export.files if file.check is not None]
    if checks:
        rows = [
            (
                file.format,
                f"{file.check.images:,}",
                percent(file.check.agreement, 2),
                small(file.check.probability),
                file.check.verified_with,
            )
            for file in checks
            if file.check is not None
        ]
        heads = ("format", "images", "same top 1, %", "largest Δ probability", "checked with")
        caption = "The check of the export itself, on validation images, before delivery."
        sources = (report.found.source("export check"),)
        parts.append(figure(report, sources, caption, table(heads, rows, caption)))
    return section(report, "parity", "Every file beside torch", *parts)


def _parity(report: Report, side: TestSide) -> Markup:
    words = {verdict.format: verdict.word for verdict in report.verdicts}
    rows = [_row(side.reference, "reference")]
    for file in report.found.export.files:
        if (row := side.rows.get(file.format)) is not None:
            gate = {PASSED: "inside", FAILED: "outside"}.get(words[file.format], "not judged")
            rows.append(_row(row, "outside" if row.faults else gate))
    heads = (
        *("format", "gate", "accuracy", "balanced accuracy", "Δ balanced accuracy"),
        *("same top 1", "mAP", "AUC", "ECE", "melanoma sensitivity", "KL", "largest Δ p"),
    )
    caption = (
        f"{side.images:,} test images of {side.lesions:,} lesions, in per cent with 95 % intervals "
        "over lesions. Δ is the file minus torch in float32 in percentage points, paired over the "
        "same lesions. Melanoma sensitivity is at the threshold where torch finds 90 % of the "
        "validation melanomas."
    )
    sources = (report.found.source("parity"),)
    return figure(report, sources, caption, table(heads, rows, "Parity on the test side"))


def _row(row: Parity, gate: str) -> tuple[object, ...]:
    metrics = row.metrics
    return (
        row.format,
        gate,
        percent_interval(metrics["accuracy"]),
        percent_interval(metrics["balanced_accuracy"]),
        NONE if gate == "reference" else points_interval(row.difference["balanced_accuracy"]),
        percent(row.agreement, 2),
        percent_interval(metrics["mean_average_precision"]),
        percent_interval(metrics["macro_auc"]),
        percent_interval(metrics["calibration_error"]),
        percent(row.melanoma_sensitivity),
        small(row.divergence),
        small(row.probability),
    )


def classes_section(report: Report) -> Markup:
    """The student class by class, and its confusion matrix."""
    found = report.found.evaluation
    if found is None:
        return section(report, "classes", "By class", missing(report, "metrics"))
    sources = (report.found.source("metrics"),)
    names = {label.code: label.name for label in report.found.export.contract.labels}
    heads = ("class", "images", "sensitivity", "", "specificity", "AUC", "average precision")
    rows = []
    for item in found.classes:
        figures = item.figures
        sensitivity = figures["sensitivity"]
        line: object = ""
        if None not in (sensitivity.value, sensitivity.low, sensitivity.high):
            line = charts.whisker(sensitivity.value, sensitivity.low, sensitivity.high)  # type: ignore[arg-type]
        rows.append(
            (
                joined((element("code", item.code), element("small", f" {names[item.code]}"))),
                f"{item.images:,}",
                percent_interval(sensitivity),
                line,
                *(percent_interval(figures[k]) for k in ("specificity", "auc")),
                percent_interval(figures["average_precision"]),
            )
        )
    caption = (
        f"The student in float32, {found.method}, budget {found.budget}, on {found.images:,} test "
        f"images of {found.lesions:,} lesions; per cent with 95 % intervals over lesions."
    )
    parts = [
        figure(report, sources, caption, table(heads, rows, "Results by class")),
        _confusion(report, found),
    ]
    return section(report, "classes", "By class", *parts)


def _confusion(report: Report, found: Evaluation) -> Markup:
    codes = [item.code for item in found.classes]
    rows = []
    for code, counts in zip(codes, found.confusion, strict=True):
        total = sum(counts) or 1
        cells = [
            element("span", f"{count:,}", style=f"--share:{100 * count / total:.0f}%")
            for count in counts
        ]
        rows.append((code, *cells))
    caption = "Images by true class (rows) and first diagnosis (columns); shaded by share of a row."
    heads = ("true", *codes)
    shown = element("div", table(heads, rows, "Confusion matrix"), class_="confusion")
    return figure(report, (report.found.source("metrics"),), caption, shown)


def calibration_section(report: Report) -> Markup:
    """The temperature, the calibration error, and the answer "unknown"."""
    contract = report.found.export.contract
    calibration = contract.calibration
    rows = [
        ("temperature of the logits", f"{calibration.temperature:.3f}"),
        ("score above which the answer is 'unknown'", f"{calibration.unknown_threshold:.3f}"),
        ("share of validation images that get an answer, %", percent(calibration.accepted_share)),
    ]
    sources = [report.found.source("contract")]
    if (student := report.found.evaluation) is not None:
        error = student.metrics["calibration_error"]
        rows.append(("expected calibration error of the student, %", percent_interval(error)))
        sources.append(report.found.source("metrics"))
    caption = "Every file carries these in its contract."
    parts: list[object] = [
        figure(report, sources, caption, table(("figure", "value"), rows, "Calibration"))
    ]
    if student is not None and student.metrics["calibration_error"].low is not None:
        sentence = (
            "The interval of the calibration error can lie above its value: resampled bins differ "
            "more from their means."
        )
        parts.append(paragraph(sentence, class_="quiet"))
    if calibration.sensitivity:
        answered = [(code, percent(value)) for code, value in calibration.sensitivity.items()]
        said = (
            "Share of the validation images of each class that get an answer and the right one, "
            "with 'unknown' counted as wrong."
        )
        shown = table(("class", "sensitivity, %"), answered, "Sensitivity with 'unknown'")
        parts.append(figure(report, sources[:1], said, shown))
    return section(report, "calibration", "Calibration", *parts)


def trials_section(report: Report) -> Markup:
    """The ways to int8 that were compared."""
    found = report.found.trials
    if found is None:
        return section(report, "int8", "Ways to int8", missing(report, "quantization"))
    rows = [
        (
            trial.name,
            trial.format,
            percent_interval(trial.agreement, 2),
            small(trial.divergence),
            "the default" if trial.is_default else small_interval(trial.beyond_default),
            points(trial.balanced_accuracy),
            "best" if trial.best else "",
        )
        for trial in found.rows
    ]
    heads = (
        *("way", "format", "same top 1, %", "KL", "KL beyond the default's"),
        *("Δ balanced accuracy", ""),
    )
    caption = (
        f"Each way exported anew and compared with torch on {found.images:,} validation images; "
        "the best has the least divergence. What a way diverges more (+) or less (−) than the "
        "default is a paired difference, with its 95 % interval over lesions."
    )
    shown = table(heads, rows, "Ways to int8")
    sources = (report.found.source("quantization"),)
    return section(report, "int8", "Ways to int8", figure(report, sources, caption, shown))
