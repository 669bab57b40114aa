"""The noise of every layer as a picture."""

from __future__ import annotations

import math
from pathlib import Path

from export.quantization.sensitivity import Sensitivity
from runtimes.atomic import replacing_file


def draw_sensitivity(found: Sensitivity, picture: Path) -> None:
    """Draws the three ratios of each layer, in the order of the network, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = [layer.name for layer in found.layers]
    figure = Figure(figsize=(11, 2 + 0.19 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    panel = figure.subplots()
    for label, marker in (("logits", "o"), ("own", "."), ("together", "x")):
        values = [getattr(layer, label) for layer in found.layers]
        places = [place for place, value in enumerate(values) if math.isfinite(value)]
        shown = [values[place] for place in places]
        panel.plot(shown, places, marker, label=_LABELS[label], alpha=0.8)
    panel.set_yticks(range(len(names)), names, fontsize=7)
    panel.invert_yaxis()
    panel.set_xlabel("signal over quantization noise, dB")
    panel.axvline(found.logits, color="0.4", linewidth=1, label="all together at the logits")
    panel.grid(axis="x", alpha=0.3)
    panel.legend()
    with replacing_file(picture) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


_LABELS = {
    "logits": "this layer alone, at the logits",
    "own": "this layer alone, at its output",
    "together": "with all layers before it, at its output",
}
