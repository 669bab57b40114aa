"""Writes a table's figures: JSON, Markdown, a picture, and the splits they stand on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distill.provenance import provenance
from distill.settings import plain
from distill.splits import write_split
from distill.tables.jobs import Job, claim
from distill.tables.report import draw, markdown
from distill.tables.summary import Measurements, summarise
from distill.tables.work import Protocol
from runtimes.atomic import write_json, write_text
from runtimes.console import note

_PAPERS_IMAGES = 25_331
_PAPERS_PIXELS = "the original images resized to 224 px"


def write_results(
    out: Path, jobs: Sequence[Job], protocol: Protocol, measured: Measurements, command: str
) -> None:
    """Writes table.json, table.md, table.png and split-*.json into `out`, from all finished runs.

    Each file is replaced whole. While another process writes the same table this one does not:
    the other, or the next job, will have read this process's runs too.
    """
    with claim(protocol.runs / ".locks" / "results") as mine:
        if not mine:
            return
        document = {
            "command": command,
            "budget": plain(protocol.budget),
            "differences_to_the_paper": _differences(protocol, jobs),
            "table": summarise(jobs, protocol.runs, measured),
            "provenance": provenance(),
        }
        write_json(out / "table.json", document)
        write_text(out / "table.md", markdown(document))
        draw(document, out / "table.png")
        for split, context in protocol.contexts.items():
            path = out / f"split-{split}.json"
            if not path.exists():
                write_split(path, context.dataset.split, context.dataset.index)
    done = sum(job.done(protocol.runs) for job in jobs)
    note(f"{done} of {len(jobs)} jobs done; wrote {out / 'table.md'}")


def _differences(protocol: Protocol, jobs: Sequence[Job]) -> list[str]:
    """Says plainly in what our protocol is not the paper's."""
    first = next(iter(protocol.contexts.values()))
    dataset, budget = first.dataset, protocol.budget
    images = len(dataset.index.records)
    used = {split: len(c.dataset.rows("train")) for split, c in protocol.contexts.items()}
    lines: list[Any] = [
        "",
        "What differs from the paper:",
        f"- {images:,} images seen at {dataset.cache.size} px (paper: {_PAPERS_IMAGES:,}, "
        f"{_PAPERS_PIXELS}); network input {budget.evaluation_size} px (paper: 224).",
        "- trained on "
        + ", ".join(f"{count:,} images (split by {split})" for split, count in used.items())
        + (
            f", at most {budget.images_per_class} of each class: a balanced subset"
            if budget.images_per_class
            else ""
        )
        + "; device "
        + first.images.device.type
        + ".",
        f"- teacher and student: {_pair(protocol)} (paper: resnet50, mobilenet_v2).",
        "- the split by lesion is ours; the paper split by image.",
    ]
    if dataset.index.synthetic:
        lines.append("- **the images are synthetic**: the figures say nothing about skin.")
    return [str(line) for line in lines]


def _pair(protocol: Protocol) -> str:
    if protocol.pair is None:
        return "resnet50, mobilenet_v2"
    return f"{protocol.pair.teacher}, {protocol.pair.student}"
