"""What other implementations and processors made of the files, disagreements first."""

from __future__ import annotations

from benchmarks.report.opinions import Opinion, Opinions
from benchmarks.report.page.figures import NONE, percent, small
from benchmarks.report.page.markup import Markup, joined, table
from benchmarks.report.page.parts import code, figure, missing, paragraph, section
from benchmarks.report.report import Report

_TITLES = {"opinions": "Other implementations", "arm": "ARM processors"}
_WHO = {
    "opinions": "other implementations than the file's own runtime; class maps by root mean square",
    "arm": "the same runtimes' kernels for ARM, emulated, beside those for x86; class maps by the "
    "largest difference",
}


def opinions_section(report: Report) -> Markup:
    """A table each for implementations and processors, and what the GPU analyzer says."""
    parts: list[object] = []
    found = {"opinions": report.found.opinions, "arm": report.found.arm}
    for role, asked in found.items():
        if asked is None:
            parts.append(missing(report, role))
            continue
        source = report.found.source(role)
        apart = len(asked.apart)
        verdict = f"{apart} of {len(asked.rows)} disagree" if apart else "All agree"
        caption = (
            f"{verdict}: {asked.images:,} golden images answered by {_WHO[role]}, in standard "
            "deviations of the maps."
        )
        parts.append(figure(report, (source,), caption, _table(asked, _TITLES[role])))
        for row in asked.gpu:
            said = (
                "; ".join(text.rstrip(".") for text in row.refused)
                or "nothing against the GPU delegate"
            )
            doubt = "" if row.is_witness else " Worthless: this version rejects nothing at all."
            sentence = joined((code(row.format), f": {row.by}'s analyzer says: {said}.{doubt}"))
            parts.append(paragraph(sentence, class_="quiet"))
    return section(report, "opinions", "Second opinions", *parts)


def _table(asked: Opinions, caption: str) -> Markup:
    heads = ["format", "by", "verdict", "largest Δ probability", "Δ class maps"]
    counted = any(row.agreement is not None for row in asked.rows)
    rows = [(*_cells(row), *([percent(row.agreement)] if counted else [])) for row in asked.rows]
    faults = ["; ".join(row.faults) for row in asked.rows]
    heads += ["same top 1, %"] if counted else []
    if any(faults):
        heads.append("why")
        rows = [(*row, why or NONE) for row, why in zip(rows, faults, strict=True)]
    return table(heads, rows, caption, prose=True)


def _cells(row: Opinion) -> tuple[object, ...]:
    verdict = "agrees" if row.agrees else "disagrees"
    return (row.format, row.by, verdict, small(row.probability), small(row.maps))
