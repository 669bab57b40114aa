"""Writes a table's figures: JSON, Markdown, a picture, and the splits they stand on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distill.provenance import provenance
from distill.recipes import Stage, read_budget
from distill.settings import plain
from distill.splits import read_split, write_split
from distill.tables.jobs import Job
from distill.tables.report import draw, markdown
from distill.tables.summary import Measurements, summarise
from distill.tables.work import Protocol
from runtimes.atomic import write_json, write_text
from runtimes.console import note
from runtimes.errors import InputError
from runtimes.json_files import read_json
from runtimes.locks import claim


def check_results(out: Path, jobs: Sequence[Job], protocol: Protocol) -> None:
    """Checks that writing the table into `out` loses nothing that stands there.

    Raises:
        InputError: the table there is of other splits, has finished rows that this one lacks, or
            is no table.
    """
    for split, context in protocol.contexts.items():
        path = out / f"split-{split}.json"
        if path.is_file() and read_split(path).sha256 != context.dataset.split.sha256:
            raise InputError(
                f"{path} is another split than this table's: other images, or another --seed. "
                "Name another --out."
            )
    earlier = _rows_of(out / "table.json")
    known = {(job.split, job.method, job.seed) for job in jobs if job.done(protocol.runs)}
    lost = [
        f"{method} on the split by {split}, seed {seed}"
        for split, method, seed in earlier
        if (split, method, seed) not in known
    ]
    if lost:
        raise InputError(
            f"{out / 'table.json'} has rows that this call does not ask for or whose runs are not "
            f"in {protocol.runs} ({lost[0]}), and they would be lost. Ask for them too, or name "
            "another --out."
        )


def _rows_of(path: Path) -> list[tuple[str, str, int]]:
    """Split, method and seed of every row of an earlier table; none if there is no file."""
    if not path.exists():
        return []
    try:
        document = read_json(path)
        document["budget"], document["command"]  # what a file of another kind would not have
        return [
            (str(split), str(row["method"]), int(seed))
            for split, rows in document["table"].items()
            for row in rows
            for seed in row["seeds"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is no table of this project, or a damaged one ({error!r}), and would be "
            "replaced. Move it away, or name another --out."
        ) from error


def write_results(
    out: Path, jobs: Sequence[Job], protocol: Protocol, measured: Measurements, command: str
) -> None:
    """Writes table.json, table.md, table.png and split-*.json into `out`, from all finished runs.

    Each file is replaced whole; processes that share a table write one after another.
    """
    for job in jobs:  # what takes long, before others have to wait
        if job.done(protocol.runs):
            measured.of(job)
    with claim(protocol.runs / ".locks" / "results", wait=True):
        document = {
            "command": command,
            "budget": plain(protocol.budget),
            "differences_to_the_paper": differences(protocol),
            "table": summarise(jobs, protocol.runs, measured),
            "provenance": provenance(),
        }
        write_json(out / "table.json", document)
        write_text(out / "table.md", markdown(document))
        draw(document, out / "table.png")
        for split, context in protocol.contexts.items():
            write_split(out / f"split-{split}.json", context.dataset.split, context.dataset.index)
    done = sum(job.done(protocol.runs) for job in jobs)
    note(f"{done} of {len(jobs)} jobs done; wrote {out / 'table.md'}")


def differences(protocol: Protocol) -> list[str]:
    """Says in what this protocol is not the paper's, as lines of Markdown."""
    first = next(iter(protocol.contexts.values()))
    dataset, budget, paper = first.dataset, protocol.budget, read_budget("paper")
    lines = [
        "",
        "What differs from the paper:",
        f"- images: {len(dataset.index.records):,} seen at {dataset.cache.size} px (paper: 25,331 "
        f"originals resized to 224 px); network input {budget.evaluation_size} px (paper: 224).",
    ]
    for split, context in protocol.contexts.items():
        counts = zip(dataset.index.classes, context.dataset.class_counts(), strict=True)
        capped = budget.images_per_class
        lines.append(
            f"- training images, split by {'lesion' if split == 'lesion' else 'image'}: "
            + ", ".join(f"{code} {count:,}" for code, count in counts)
            + (f" (**a subset**, at most {capped} of each class)." if capped else ".")
        )
    lines.append("- the split by lesion is ours; the paper split by image.")
    pair = protocol.pair
    if pair is not None and (pair.teacher, pair.student) != ("resnet50", "mobilenet_v2"):
        lines.append(
            f"- networks: {pair.teacher} to {pair.student} (paper: resnet50 to mobilenet_v2)."
        )
    lines.append(f"- student's training: {_stage(budget.student)}; paper: {_stage(paper.student)}.")
    lines.append(f"- teacher's training: {_stage(budget.teacher)}; paper: {_stage(paper.teacher)}.")
    if budget.augmentation != paper.augmentation:
        ours, theirs = vars(budget.augmentation), vars(paper.augmentation)
        changed = [f"{k} {ours[k]} ({theirs[k]})" for k in ours if ours[k] != theirs[k]]
        lines.append(f"- augmentation, with the paper's in brackets: {', '.join(changed)}.")
    lines.append(
        f"- initial weights stand with each run in table.json; {first.images.device.type}."
    )
    if dataset.index.synthetic:
        lines.append("- **the images are synthetic**: the figures say nothing about skin.")
    return lines


def _stage(stage: Stage) -> str:
    phases = " + ".join(
        f"{phase.epochs:g} epochs of {phase.views} view{'s' * (phase.views > 1)} at {phase.size} px"
        for phase in stage.phases
    )
    return (
        f"{phases}, {stage.optimizer}, {stage.schedule}, class weights {stage.class_weights}, "
        f"best by {stage.select}"
    )
