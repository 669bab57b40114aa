"""What was measured, in words and tables: for the terminal, results/trust and the model card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.trust.images import Amounts
from benchmarks.trust.tables import (
    auroc_of_max_logit,
    calibration_table,
    changes_table,
    groups_table,
    interval,
    met,
    number,
    points_table,
    trials_table,
    unknown_table,
    where_table,
)
from benchmarks.trust.worst import worst_cases

# Options of the command and what they set.
_AMOUNTS = {
    "images": "side",
    "pictures": "pictures",
    "masked": "masked",
    "changed": "changed",
    "seed": "seed",
}
_RENEWING = "python -m benchmarks trust RUN --data DATA --artifacts ARTIFACTS --files-only"


def lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Yields the main figures, for a terminal."""
    ways = document["calibration"]["torch"]
    yield (
        f"calibration: T {document['calibration']['temperature']:.3f}, ECE "
        f"{interval(ways['before']['ece'])} before, {interval(ways['temperature']['ece'])} after"
    )
    unknown = document["unknown"]
    yield f"unknown: {unknown['score']}, threshold {unknown['threshold']:.4f}"
    for kind, row in unknown["pictures"].items():
        logit = auroc_of_max_logit(unknown, kind)
        yield f"  {kind}: AUROC {interval(row['auroc'])}, max logit {logit}"
    for code, row in unknown["held_out"].items():
        yield f"  held out {code}: AUROC {interval(row['chosen']['auroc'])}"
    for goal in unknown["goals"]:
        yield f"  goal {goal['goal']}: {met(goal['met'])} ({number(goal['reached'])})"
    for point in document["operating_points"]:
        yield _point(point)
    for claim in (document["where"] or {}).get("claims", []):
        yield f"{claim['claim']}: {claim['answer']} ({claim['evidence']})"
    for text_ in document["missing"]:
        yield f"not measured: {text_}"


def text(document: Mapping[str, Any]) -> str:
    """Returns README.md of the results."""
    title = f"# Can {document['name']} be trusted?"
    about = (
        f"{document['images']:,} test images of {document['lesions']:,} lesions; intervals are "
        "95 %, over resampled lesions. What was chosen or fitted was so on training and validation "
        "images, or on pictures that are not reported. `trust.json` holds all figures."
    )
    if document["synthetic"]:
        about += "\n\n**The images are synthetic: the figures say nothing about skin.**"
    commands = command(document)
    if later := _later(document):
        about += f"\n\nMeasured later than the rest, by the second command: {', '.join(later)}."
        commands += "\n" + " ".join((_RENEWING, *amount_options(document)))
    parts = [title, about, f"```sh\n{commands}\n```"]
    parts += [part for draw in _SECTIONS if (part := draw(document))]
    return "\n\n".join(parts) + "\n"


def command(document: Mapping[str, Any]) -> str:
    """Returns the command that makes the document, with words in the place of folders."""
    words = ["python -m benchmarks trust RUN --data DATA"]
    if document["files"]:
        words.append("--artifacts ARTIFACTS")
    if document["unknown"]["held_out"]:
        words.append("--leave-out LEAVE_OUT")
    words += amount_options(document)
    others = list((document["where"] or {"networks": ()})["networks"])[1:]  # the first is RUN's
    words += [f"--run {name}=FOLDER" for name in others]
    return " ".join(words)


def amount_options(document: Mapping[str, Any]) -> list[str]:
    """Returns the options that ask about as many images as a document does."""
    usual, asked = vars(Amounts()), document["amounts"]
    changed = [(option, asked[key]) for option, key in _AMOUNTS.items() if asked[key] != usual[key]]
    return [f"--{option} {value}" for option, value in changed]


def _later(document: Mapping[str, Any]) -> list[str]:
    """What `--files-only` measured: that carries its own provenance."""
    files = [f"`{row['format']}`" for row in document["files"] if "provenance" in row]
    return [*files, "changes of the picture"] if "provenance" in document["changes"] else files


def card_section(document: Mapping[str, Any]) -> str:
    """Returns the section of the model card, without a heading of the first order."""
    parts = ["## Can it be trusted?"]
    drawn = (calibration_table, unknown_table, points_table, where_table, worst_cases)
    parts += [
        part.replace("\n## ", "\n### ").replace("## ", "### ", 1)
        for draw in drawn
        if (part := draw(document))
    ]
    return "\n\n".join(parts)


def _point(point: Mapping[str, Any]) -> str:
    return (
        f"{point['code']} at {100 * point['aim']:.0f} % (threshold {point['threshold']:.4f}): "
        f"sensitivity {interval(point['sensitivity'])}, specificity "
        f"{interval(point['specificity'])}"
    )


def _missing(document: Mapping[str, Any]) -> str:
    if not document["missing"]:
        return ""
    return "## Not measured\n\n" + "\n".join(f"- {each}" for each in document["missing"])


def _conventions(_: Mapping[str, Any]) -> str:
    return "\n".join(("## How the figures are defined\n", *(f"- {each}" for each in _CONVENTIONS)))


_CONVENTIONS = (
    "ECE: mean distance of accuracy and largest probability over 15 bins of equal width, weighted "
    "by images; adaptive ECE over 15 bins of equally many images. Brier score: sum over classes, "
    "0 to 2. Likelihood: mean negative logarithm, in nats.",
    "AUROC, AUPR and FPR: the positives are the pictures that should not be answered. AUPR is "
    "average precision and depends on how many there are of each. FPR at 95 % TPR is the share of "
    "test images above the score that 95 % of those pictures reach; others take the known images "
    "as positives, which gives another number.",
    "The pictures count one by one, also pieces of one photo and blurred images of one lesion, so "
    "their intervals tell nothing about other photos. Drawn pictures and noise for choosing and "
    "reporting come from the same programs with other seeds.",
    "Risk and coverage: images are answered from the lowest score on; the area is the mean error "
    "rate over all coverages.",
    "Energy: share of the map's sum inside the lesion. Pointing game: whether its maximum lies "
    "inside, without a margin. Agreement: Pearson's correlation with the teacher's map of the same "
    "class.",
)
_SECTIONS = (
    calibration_table,
    unknown_table,
    trials_table,
    points_table,
    where_table,
    worst_cases,
    groups_table,
    changes_table,
    _conventions,
    _missing,
)
