"""Heat maps of all networks side by side, as in the article's figure: clean and with artefacts."""

from __future__ import annotations

from pathlib import Path

from benchmarks.trust.ask import Setting
from benchmarks.trust.attention import shown_maps
from benchmarks.trust.question import Question
from benchmarks.trust.scene import CLEAN, make_scene
from benchmarks.trust.where import ask_maps
from runtimes.atomic import replacing_file

_EXAMPLES = 2  # of each row of the sheet


def draw_sheet(setting: Setting, question: Question, path: Path) -> None:
    """Draws rows of images (clean, then each artefact) and a column for each network.

    The examples are the first of the seed's draw, not the best; the white line is the lesion mask.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    scene = make_scene(setting)
    networks = {setting.contract.training.method: question.run} | dict(question.networks)
    answers = {name: ask_maps(setting, name, folder) for name, folder in networks.items()}
    keys = (CLEAN, *scene.pasted)
    count = min(_EXAMPLES, len(scene.ids))
    rows = [(key, place) for key in keys for place in range(count)]
    figure = Figure(figsize=(1.7 * (1 + len(answers)), 1.75 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(rows), 1 + len(answers), squeeze=False)
    classes = setting.dataset.index.classes
    side = scene.masks.shape[1]
    for (key, place), line in zip(rows, panels, strict=True):
        image, mask = scene.pictures[key][place], scene.masks[place]
        for panel in line:
            panel.imshow(image)
            panel.contour(mask, [0.5], colors="white", linewidths=0.8)
            panel.set_xticks([])
            panel.set_yticks([])
        line[0].set_ylabel(key, fontsize=8)
        for panel, (name, given) in zip(line[1:], answers.items(), strict=True):
            logits = given[f"{key}|logits"][place : place + 1]
            own = logits.argmax(axis=1)
            shown = shown_maps(given[key][place : place + 1], own, side)[0]
            top = float(shown.max())
            panel.imshow(shown / top if top > 0 else shown, cmap="jet", alpha=0.45, vmin=0, vmax=1)
            panel.set_title(f"{name}: {classes[int(own[0])]}", fontsize=7)
    with replacing_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})
