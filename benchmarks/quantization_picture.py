"""The ways to int8 as a picture: the divergence that each leaves, by format."""

from __future__ import annotations

from pathlib import Path

from benchmarks.quantization import Report
from runtimes.atomic import replacing_file


def draw_trials(report: Report, path: Path) -> None:
    """Draws the divergence of every trial, one group of bars a format, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    formats = list(dict.fromkeys(trial.format for trial in report.trials))
    names = list(dict.fromkeys(trial.name for trial in report.trials))
    figure = Figure(figsize=(8, 0.45 * len(names) + 1.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    height = 0.8 / len(formats)
    for number, form in enumerate(formats):
        found = [trial for trial in report.trials if trial.format == form]
        places = [names.index(trial.name) + (number + 0.5) * height - 0.4 for trial in found]
        axes.barh(places, [trial.divergence for trial in found], height, label=form)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("mean KL divergence from torch in float32, in nats (less is better)")
    axes.set_title(
        f"{report.architecture}, {len(report.validation.ids)} validation images", fontsize=10
    )
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    with replacing_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)
