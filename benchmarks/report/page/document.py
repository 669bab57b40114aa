"""The page as a whole: one file that needs nothing but itself."""

from __future__ import annotations

from pathlib import Path

from benchmarks.report.page import accuracy, cost, opinions, provenance, trust, verdict
from benchmarks.report.page.markup import Markup, element, joined
from benchmarks.report.page.parts import paragraph
from benchmarks.report.report import NOTICE, Report

STYLE = Path(__file__).with_name("style.css")
# Nothing may be fetched and no script may run, whatever a JSON file smuggled in.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_SECTIONS = (
    verdict.verdict_section,
    verdict.changes_section,
    verdict.pareto_section,
    accuracy.parity_section,
    opinions.opinions_section,
    accuracy.classes_section,
    accuracy.calibration_section,
    trust.trust_section,
    accuracy.trials_section,
    cost.costs_section,
    cost.latency_section,
    cost.coverage_section,
    provenance.provenance_section,
)
_CONTENTS = {
    "verdict": "Verdict",
    "changes": "Changes",
    "pareto": "Accuracy, latency, size",
    "parity": "Parity",
    "opinions": "Second opinions",
    "classes": "By class",
    "calibration": "Calibration",
    "trust": "Trust",
    "int8": "Int8",
    "flops": "Operations",
    "latency": "Latency",
    "coverage": "What ran",
    "provenance": "Provenance",
}


def page(report: Report) -> str:
    """Returns report.html."""
    export = report.found.export
    title = f"{export.name}: files for phones, measured"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        element("link", rel="icon", href="data:,"),
        element("style", Markup(STYLE.read_text(encoding="utf-8"))),
    )
    links = [
        element("a", text, href=f"#{key}")
        for key, text in _CONTENTS.items()
        if key != "changes" or report.changes is not None
    ]
    about = f"{export.architecture}, {len(export.files)} files, trained by "
    about += f"{export.contract.training.method}"
    top = element(
        "header",
        paragraph("dermport report", class_="kicker"),
        element("h1", export.name),
        paragraph(about, class_="quiet"),
        _notice(export.synthetic),
        element("nav", *links, aria_label="Contents"),
    )
    body = element("body", top, element("main", *(draw(report) for draw in _SECTIONS)))
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _notice(synthetic: bool) -> Markup:
    parts: list[object] = [element("strong", NOTICE)]
    if synthetic:
        parts.append(
            " The data set is synthetic: its figures say that the steps work, and nothing about "
            "skin."
        )
    return element("p", joined(parts), class_="notice", role="note")
