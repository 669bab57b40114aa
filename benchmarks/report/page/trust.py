"""Calibration, unknown, operating points and where the network looked, on the page."""

from __future__ import annotations

from benchmarks.report.fields import Interval
from benchmarks.report.page.figures import NONE, percent
from benchmarks.report.page.markup import Markup, table
from benchmarks.report.page.parts import figure, items, missing, section
from benchmarks.report.report import Report
from benchmarks.report.trust import Trust


def trust_section(report: Report) -> Markup:
    """A table each; what was not measured is said at the end."""
    found = report.found.trust
    if found is None:
        return section(report, "trust", "Can it be trusted?", missing(report, "trust"))
    source = (report.found.source("trust"),)
    parts: list[object] = [
        figure(
            report,
            source,
            f"Calibration on {found.images:,} test images; T = {found.temperature:.3f}, ECE over "
            "15 bins, negative log-likelihood in nats. Resampling raises an ECE, so its interval "
            "may lie above the value.",
            _calibration(found),
        ),
        figure(
            report,
            source,
            f"Pictures that should not be answered: the positives of AUROC, AUPR and FPR. Score: "
            f"{found.score}. {_goals(found)}",
            _unknown(found),
        ),
    ]
    if found.points:
        said = "Operating points, found on validation images and measured on test images."
        parts.append(figure(report, source, said, _points(found)))
    if found.looked:
        said = "Where networks looked, beside lesion masks; the claims of the article below."
        parts.append(figure(report, source, said, _looked(found), _claims(found)))
    if found.missing:
        parts.append(items([f"Not measured: {each}" for each in found.missing], "quiet"))
    return section(report, "trust", "Can it be trusted?", *parts)


def _calibration(found: Trust) -> Markup:
    rows = [
        (row.of, row.way, *(_three(row.figures[key]) for key in row.figures))
        for row in found.calibration
    ]
    heads = ("of", "way", "ECE", "adaptive ECE", "Brier score", "NLL")
    return table(heads, rows, "Calibration before and after")


def _unknown(found: Trust) -> Markup:
    rows = [
        (row.of, row.pictures, *map(_three, row.figures.values()), percent(row.called))
        for row in found.unknown
    ]
    heads = ("of", "pictures", "AUROC", "AUPR", "FPR at 95 % TPR", "called unknown, %")
    return table(heads, rows, "The unknown score")


def _goals(found: Trust) -> str:
    words = {True: "met", False: "missed", None: "not measured"}
    return " ".join(f"{goal}: {words[met]}." for goal, met in found.goals)


def _points(found: Trust) -> Markup:
    rows = [
        (
            point.code,
            percent(point.aim, 0),
            f"{point.threshold:.4f}",
            _three(point.sensitivity),
            _three(point.specificity),
        )
        for point in found.points
    ]
    heads = ("class", "sensitivity on validation, %", "threshold", "sensitivity", "specificity")
    return table(heads, rows, "Operating points")


def _looked(found: Trust) -> Markup:
    rows = [(name, *map(_three, each.values())) for name, each in found.looked.items()]
    return table(("network", "energy in lesion", "pointing game", "IoU"), rows, "Where it looked")


def _claims(found: Trust) -> Markup:
    rows = [(each.claim, each.answer, each.evidence) for each in found.claims]
    return table(("claim", "answer", "evidence"), rows, "The claims of the article", prose=True)


def _three(found: Interval) -> str:
    if found.value is None or found.low is None or found.high is None:
        return NONE
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
