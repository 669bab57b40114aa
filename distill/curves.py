"""The training curves of a run: from log.jsonl to a picture."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtimes.atomic import replacing_file
from runtimes.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Above this ratio of largest to smallest, terms share a picture only on a logarithmic axis.
_LOG_SCALE_FROM = 20.0


@dataclass
class Stage:
    """The rows of one stage; each series is a list of (epochs done, value)."""

    losses: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    validation: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    rates: dict[str, list[tuple[float, float]]] = field(default_factory=dict)


def draw_curves(log: Path, picture: Path) -> None:
    """Draws loss terms, validation metrics and learning rate of each stage over the epochs.

    Args:
        log: log.jsonl of a run; rows of kind "step" or "epoch", others are passed over. A last
            line cut off by a killed run is left out.
        picture: the PNG to write.

    Raises:
        InputError: the log is missing, has no rows to draw, or holds a line that is no row.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    stages = read_curves(log)
    figure = Figure(figsize=(1 + 5 * len(stages), 9), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(3, len(stages), squeeze=False, sharex="col")
    titles = ("loss terms", "validation", "learning rate")
    for column, (name, stage) in enumerate(stages.items()):
        series = (stage.losses, stage.validation, stage.rates)
        for panel, curves, title in zip(panels[:, column], series, titles, strict=True):
            _draw(panel, curves, f"{name}: {title}" if title == titles[0] else title)
        panels[-1, column].set_xlabel("epochs done")
    with replacing_file(Path(picture)) as temporary:
        figure.savefig(temporary, format="png", dpi=100)


def read_curves(log: Path) -> dict[str, Stage]:
    """Returns the series of each stage of a log, in the order the stages began.

    A point of a step stands at its share of the epoch. For a term that the epoch's row does not
    name, the mean over its steps stands in; what a resumed run logged again counts as logged last.

    Args:
        log: log.jsonl of a run.

    Raises:
        InputError: as `draw_curves`.
    """
    rows = [row for row in _read_rows(Path(log)) if row.get("kind") in ("step", "epoch")]
    if not rows:
        raise InputError(f"{log} has no rows to draw yet. Train for at least one step first.")
    stages: dict[str, Stage] = {}
    for name in dict.fromkeys(str(row.get("stage", "training")) for row in rows):
        own = [row for row in rows if str(row.get("stage", "training")) == name]
        stages[name] = _stage(own)
    return stages


def _stage(rows: list[dict[str, Any]]) -> Stage:
    first = min(row["epoch"] for row in rows)
    stage = Stage()
    for epoch in sorted({row["epoch"] for row in rows}):
        steps = {row.get("step"): row for row in rows if _is(row, "step", epoch)}
        ends = [row for row in rows if _is(row, "epoch", epoch)]
        done = epoch - first + 1
        for place, row in enumerate(steps.values(), start=1):
            _add(stage.rates, done - 1 + place / len(steps), {"learning rate": row.get("lr")})
        end = ends[-1] if ends else {}
        _add(stage.losses, done, _mean([_terms(row) for row in steps.values()]) | _terms(end))
        _add(stage.validation, done, end.get("validation") or {})
        if not steps:
            _add(stage.rates, done, {"learning rate": end.get("lr")})
    return stage


def _is(row: Mapping[str, Any], kind: str, epoch: int) -> bool:
    return row["kind"] == kind and row["epoch"] == epoch


def _terms(row: Mapping[str, Any]) -> dict[str, float]:
    terms = dict(row.get("terms") or {})
    return {"total": row["loss"], **terms} if row.get("loss") is not None else terms


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for row in rows for name in row)
    values = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: sum(each) / len(each) for name, each in values.items()}


def _add(
    series: dict[str, list[tuple[float, float]]], place: float, values: Mapping[str, Any]
) -> None:
    for name, value in values.items():
        # A metric may stand with its interval, or be undefined; only finite numbers make a curve.
        if isinstance(value, int | float) and math.isfinite(value):
            series.setdefault(name, []).append((place, float(value)))


def _draw(panel: Axes, curves: Mapping[str, list[tuple[float, float]]], title: str) -> None:
    panel.set_title(title)
    panel.grid(alpha=0.3)
    for name, points in curves.items():
        marker = "o" if len(points) < 30 else None
        panel.plot(*zip(*points, strict=True), label=name, marker=marker, markersize=3)
    values = [value for points in curves.values() for _, value in points]
    if values and min(values) > 0 and max(values) / min(values) > _LOG_SCALE_FROM:
        panel.set_yscale("log")
    if curves:
        panel.legend(fontsize="small")
    else:
        panel.text(0.5, 0.5, "nothing logged", ha="center", transform=panel.transAxes)


def _read_rows(log: Path) -> list[dict[str, Any]]:
    try:
        lines = log.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{log} cannot be read as a training log ({error}). Give the log.jsonl of a run folder."
        ) from error
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            if number == len(lines):
                break
            raise InputError(
                f"{log}, line {number} is no JSON ({error}). Every line of a log is one row; "
                "give the log.jsonl of a run folder."
            ) from error
        drawn = isinstance(row, dict) and row.get("kind") in ("step", "epoch")
        if not isinstance(row, dict) or (drawn and not isinstance(row.get("epoch"), int)):
            raise InputError(
                f"{log}, line {number} is no row of a training log: rows are objects with a kind, "
                f"and a step or epoch has a whole number as its epoch. It says: {line[:80]}"
            )
        rows.append(row)
    return rows
