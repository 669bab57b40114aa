"""Reliability diagrams, risk and coverage, and changes of the picture, as PNG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtimes.atomic import replacing_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 4


def draw_reliability(document: Mapping[str, Any], path: Path) -> None:
    """Draws accuracy over confidence, before and after the temperature, for torch and each file."""
    found = {"torch:fp32": document["calibration"]["torch"]}
    found |= {row["format"]: row["calibration"] for row in document["files"]}
    columns = min(_COLUMNS, len(found))
    lines = math.ceil(len(found) / columns)
    figure = _figure(3.2 * columns, 3.2 * lines)
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for panel in panels[len(found) :]:
        panel.set_visible(False)
    for panel, (name, ways) in zip(panels, found.items(), strict=False):
        panel.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        for way, marker in (("before", "s"), ("temperature", "o")):
            bins = ways[way]["bins"]
            label = f"{way}, ECE {ways[way]['ece']['value']:.3f}"
            panel.plot(
                [each["confidence"] for each in bins],
                [each["accuracy"] for each in bins],
                marker=marker,
                markersize=3,
                linewidth=1,
                label=label,
            )
        panel.set_title(name, fontsize=9)
        panel.legend(frameon=False, fontsize=7, loc="upper left")
        panel.set_aspect("equal")
    figure.supxlabel("largest probability, 15 bins", fontsize=9)
    figure.supylabel("accuracy", fontsize=9)
    _save(figure, path)


def draw_risk(document: Mapping[str, Any], path: Path) -> None:
    """Draws the error rate of answered images over the share that is answered."""
    figure = _figure(4.5, 3.4)
    panel = figure.subplots()
    names = {"risk_coverage": "by unknown score", "by_confidence": "by largest probability"}
    for key, name in names.items():
        curve = document["withheld"][key]
        label = f"{name}, area {curve['area']['value']:.3f}"
        panel.plot(curve["coverage"], curve["risk"], label=label)
    _finish(panel, "share of test images that are answered", "error rate among them")
    _save(figure, path)


def draw_changes(document: Mapping[str, Any], path: Path) -> None:
    """Draws how often the first diagnosis stays the same under each change."""
    found = document["changes"]["formats"]
    names = list(next(iter(found.values()))["changes"])
    figure = _figure(6.5, 0.3 * len(names) + 1.2)
    panel = figure.subplots()
    height = 0.8 / len(found)
    for number, (key, row) in enumerate(found.items()):
        places = [place + (number + 0.5) * height - 0.4 for place in range(len(names))]
        values = [100 * row["changes"][name]["same_diagnosis"]["value"] for name in names]
        panel.barh(places, values, height, label=key)
    panel.set_yticks(range(len(names)), names, fontsize=8)
    panel.invert_yaxis()
    panel.set_xlim(0, 100)
    _finish(panel, "% of images with the same first diagnosis as unchanged", "")
    _save(figure, path)


def _finish(panel: Axes, below: str, beside: str) -> None:
    panel.set_xlabel(below, fontsize=9)
    panel.set_ylabel(beside, fontsize=9)
    panel.legend(frameon=False, fontsize=8)
    panel.spines[["top", "right"]].set_visible(False)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Figure, path: Path) -> None:
    with replacing_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})
