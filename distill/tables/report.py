"""The table for people: Markdown, and a picture of the balanced accuracies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runtimes.atomic import replacing_file

_SHOWN = (
    ("ACC", "accuracy"),
    ("BACC", "balanced_accuracy"),
    ("mAP", "mean_average_precision"),
    ("AUC", "macro_auc"),
)
_SPLITS = {
    "lesion": "Split by lesion (headline): no lesion stands on two sides",
    "paper": "The paper's split, by image: lesions do stand on two sides, figures are higher",
}


def markdown(document: Mapping[str, Any]) -> str:
    """Returns the table as Markdown: ours with 95 % intervals over lesions, the paper's beside."""
    lines = [
        f"# SSD-KD on ISIC 2019, budget `{document['budget']['name']}`",
        document["budget"]["purpose"],
        "",
        f"```sh\n{document['command']}\n```",
        *document["differences_to_the_paper"],
        "",
        "Intervals: 95 %, bootstrap over lesions. A row with several seeds averages them; ± is the "
        "standard deviation over seeds. Differences are paired over lesions and seeds.",
    ]
    for split, rows in document["table"].items():
        lines += ["", f"## {_SPLITS[split]}", ""]
        lines += _rows(rows)
    return "\n".join(lines) + "\n"


def _rows(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = [short for short, _ in _SHOWN]
    head = ["method", "seeds", *names, "BACC − no_kd", "BACC − blkd", "min"]
    head.append("paper: " + " / ".join(names))
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row in rows:
        lines.append("| " + " | ".join(_cells(row)) + " |")
    return lines


def _cells(row: Mapping[str, Any]) -> list[str]:
    paper = [row["paper"].get(name) for _, name in _SHOWN]
    printed = " / ".join("–" if value is None else f"{value:.3f}" for value in paper)
    if "metrics" not in row:
        state = "diverged" if row["failed"] else "waits"
        return [row["method"], "0", *[state] * len(_SHOWN), "–", "–", "–", printed]
    figures = []
    for _, name in _SHOWN:
        deviation = row["deviation_over_seeds"][name]
        spread = "" if deviation is None else f" ± {deviation:.3f}"
        figures.append(_interval(row["metrics"][name]) + spread)
    against = [
        _interval(row["minus"][base]["balanced_accuracy"], signed=True)
        if base in row["minus"]
        else "–"
        for base in ("no_kd", "blkd")
    ]
    minutes = [run["training"]["seconds"] / 60 for run in row["runs"]]
    mean = f"{sum(minutes) / len(minutes):.1f}"
    return [row["method"], str(len(row["seeds"])), *figures, *against, mean, printed]


def _interval(estimate: Mapping[str, float | None], *, signed: bool = False) -> str:
    value, low, high = (estimate[key] for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return "–"
    return f"{value:{'+' if signed else ''}.3f} ({low:.3f} to {high:.3f})"


def draw(document: Mapping[str, Any], picture: Path) -> None:
    """Draws each split's balanced accuracies and their differences to no_kd with intervals."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    table = {
        split: [row for row in rows if "metrics" in row]
        for split, rows in document["table"].items()
    }
    table = {split: rows for split, rows in table.items() if rows}
    if not table:
        return
    figure = Figure(figsize=(11, 1 + 3.5 * len(table)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(table), 2, squeeze=False)
    for (split, rows), (left, right) in zip(table.items(), panels, strict=True):
        names = [row["method"] for row in rows]
        _dots(left, names, [row["metrics"]["balanced_accuracy"] for row in rows])
        left.set_title(f"balanced accuracy, split by {'lesion' if split == 'lesion' else 'image'}")
        compared = [row for row in rows if "no_kd" in row["minus"]]
        values = [row["minus"]["no_kd"]["balanced_accuracy"] for row in compared]
        _dots(right, [row["method"] for row in compared], values)
        right.axvline(0, color="0.5", linewidth=1)
        right.set_title("minus no_kd, paired")
    with replacing_file(picture) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _dots(panel: Any, names: Sequence[str], estimates: Sequence[Mapping[str, float]]) -> None:
    places = range(len(names))
    values = [estimate["value"] for estimate in estimates]
    below = [value - estimate["low"] for value, estimate in zip(values, estimates, strict=True)]
    above = [estimate["high"] - value for value, estimate in zip(values, estimates, strict=True)]
    below, above = ([max(0.0, size) for size in sizes] for sizes in (below, above))
    panel.errorbar(values, places, xerr=[below, above], fmt="o", capsize=3)
    panel.set_yticks(places, names)
    panel.invert_yaxis()
    panel.grid(axis="x", alpha=0.3)
