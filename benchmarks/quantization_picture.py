"""The ways to int8 as a picture: the divergence that each leaves, by format."""

from __future__ import annotations

from pathlib import Path

from benchmarks.quantization import Report
from runtimes.atomic import replacing_file


def draw_trials(report: Report, path: Path) -> None:
    """Draws the divergence of every trial on a logarithmic axis, one mark a format, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    formats = list(dict.fromkeys(trial.format for trial in report.trials))
    names = list(dict.fromkeys(trial.name for trial in report.trials))
    figure = Figure(figsize=(8, 0.28 * len(names) + 1.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for form, mark in zip(formats, "osD", strict=False):
        found = [trial for trial in report.trials if trial.format == form]
        places = [names.index(trial.name) for trial in found]
        axes.plot([trial.divergence for trial in found], places, mark, alpha=0.8, label=form)
    axes.set_xscale("log")
    axes.grid(which="both", axis="x", alpha=0.3)
    axes.grid(axis="y", alpha=0.15)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(
        "mean KL divergence from torch in float32, in nats, logarithmic (less is better)"
    )
    axes.set_title(
        f"{report.architecture}, {len(report.validation.ids)} validation images", fontsize=10
    )
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    with replacing_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)
