"""Where each network looked: on clean images, and with artefacts pasted in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.bootstrap import mean_of, with_interval
from benchmarks.trust.ask import Setting
from benchmarks.trust.attention import (
    FIGURES,
    Looked,
    best_threshold,
    energy_on,
    look,
    loss,
    plain,
    shown_maps,
    summary,
)
from benchmarks.trust.kept import Arrays
from benchmarks.trust.network import Network, enlarged
from benchmarks.trust.question import size_of, weights_of
from benchmarks.trust.scene import CLEAN, Scene, make_scene
from distill.checkpoint import STUDENT_FILE, load_classifier
from distill.gradcam import grad_cam
from distill.models import normalise
from export.deployable import Deployable
from runtimes.console import progress
from runtimes.errors import InputError
from runtimes.hashes import sha256_of

TEACHER = "teacher"
_COMPARED = 8
_MIDDLE = 0.4  # σ of the map that always shows the middle, in halves of the side


def ask_maps(setting: Setting, name: str, folder: Path) -> dict[str, np.ndarray]:
    """Asks a run's student, or a teacher, for the class maps of the scene.

    Args:
        setting: of the student that is measured; other networks must have its split and classes.
        name: what the network is called.
        folder: a run, a released model, or a teacher's run folder.

    Returns:
        "choosing", "clean" and artefacts to class maps (N, h, w, K), and "NAME|logits" (N, K).

    Raises:
        InputError: no network there, other classes, another split, or a scene without masks.
    """
    path = weights_of(folder)
    size = size_of(folder, setting.dataset.split.sha256, name)

    def make() -> Arrays:
        network, scene = Network(load_classifier(path), size), make_scene(setting)
        classes = setting.dataset.index.classes
        if network.classes != len(classes):
            raise InputError(
                f"{path} knows {network.classes} classes, the data set has {len(classes)}: "
                f"{', '.join(classes)}. Name a network that was trained on it."
            )
        sets = {"choosing": scene.choosing, **scene.pictures}
        found: Arrays = {}
        with progress(f"where {name} looks", sum(map(len, sets.values()))) as bar:
            for key, images in sets.items():
                known = network.ask(list(images), bar, maps=True)
                assert known.maps is not None
                found |= {key: known.maps.astype(np.float32), f"{key}|logits": known.logits}
        return found

    about = setting.about(sha256_of(path), own_size=size)
    return setting.kept.get(f"maps-{name}", about, make)


def grad_cam_difference(run: Path, scene: Scene, size: int) -> float:
    """Returns the largest difference of Grad-CAM and the deployable module's maps on some images.

    In units of the largest value of each image's map; both before the negative part is cut off.
    """
    classifier = load_classifier(run / STUDENT_FILE)
    pixels = enlarged(scene.pictures[CLEAN][:_COMPARED], size)
    tensor = torch.from_numpy(pixels)
    with torch.no_grad():
        answer = Deployable(classifier, 1.0)(tensor.float())
    classes = answer.probabilities.argmax(dim=1)
    maps = answer.cam[torch.arange(len(classes)), :, :, classes]
    ours = normalise(tensor.permute(0, 3, 1, 2).float())
    other = grad_cam(classifier, ours, classes) * maps.shape[1] * maps.shape[2]
    unit = maps.abs().amax(dim=(1, 2), keepdim=True).clamp_min(1e-30)
    return float(((other - maps) / unit).abs().max())


def measure_where(
    scene: Scene, answers: Mapping[str, Mapping[str, np.ndarray]], target: np.ndarray
) -> dict[str, Any]:
    """Measures all networks beside each other, and beside maps that know nothing.

    Args:
        scene: what they were shown.
        answers: name of the network to what `ask_maps` gave.
        target: classes of the scene's test images, (N,).
    """
    side = scene.masks.shape[1]
    found: dict[str, Any] = {
        "images": len(scene.ids),
        "lesions": len(set(scene.groups)),
        "lesion_share": plain({"area": with_interval(mean_of(_area(scene.masks)), scene.groups)}),
        "baselines": _baselines(scene),
        "networks": {},
        "differences": {},
    }
    middle = look(_middle(len(scene.ids), side), scene.masks, 0.5)
    clean: dict[str, Looked] = {}
    on_artefact: dict[str, dict[str, np.ndarray]] = {}
    for name, given in answers.items():
        shown, classes = _shown(given, CLEAN, side)
        chosen, _ = _shown(given, "choosing", side)
        threshold = best_threshold(chosen, scene.choosing_masks)
        teacher = _teachers(answers, name, CLEAN, classes, side)
        clean[name] = look(shown, scene.masks, threshold, teacher)
        right = (classes == target).astype(float)
        row: dict[str, Any] = {
            "threshold": threshold,
            "without_map": int(np.isnan(clean[name].energy).sum()),
            "clean": plain(summary(clean[name], scene.groups)),
            "beyond": _beyond(clean[name], middle, scene),
            "accuracy": dict(vars(with_interval(mean_of(right), scene.groups))),
            "artefacts": {},
        }
        on_artefact[name] = {}
        for artefact, pixels in scene.pasted.items():
            after, now = _shown(given, artefact, side)
            teacher = _teachers(answers, name, artefact, now, side)
            looked = look(after, scene.masks, threshold, teacher)
            on, before = energy_on(after, pixels), energy_on(shown, pixels)
            area = _area(pixels)
            on_artefact[name][artefact] = on
            row["artefacts"][artefact] = {
                "loss": plain(loss(clean[name], looked, scene.groups)),
                "energy_on_artefact": dict(vars(with_interval(mean_of(on), scene.groups))),
                "artefact_area": float(area.mean()),
                "excess": dict(vars(with_interval(mean_of(on - area), scene.groups))),
                "drawn": dict(vars(with_interval(mean_of(on - before), scene.groups))),
                "same_diagnosis": dict(
                    vars(with_interval(mean_of((now == classes).astype(float)), scene.groups))
                ),
            }
        found["networks"][name] = row
    found["differences"] = _differences(scene, clean, on_artefact)
    return found


def _beyond(clean: Looked, middle: Looked, scene: Scene) -> dict[str, Any]:
    """Energy in the lesion beyond its area, and beyond a map of the middle, paired over lesions."""
    others = {"area": _area(scene.masks), "middle": middle.energy}
    return plain(
        {
            name: with_interval(mean_of(clean.energy - each), scene.groups)
            for name, each in others.items()
        }
    )


def _differences(
    scene: Scene, clean: Mapping[str, Looked], on: Mapping[str, Mapping[str, np.ndarray]]
) -> dict[str, Any]:
    """Each network minus no_kd, paired over lesions; empty without a no_kd."""
    base = "no_kd"
    if base not in clean:
        return {}
    found: dict[str, Any] = {}
    for name in clean:
        if name == base:
            continue
        row = plain(loss(clean[name], clean[base], scene.groups))
        for artefact in scene.pasted:
            difference = on[name][artefact] - on[base][artefact]
            estimate = with_interval(mean_of(difference), scene.groups)
            row[f"energy on {artefact}"] = dict(vars(estimate))
        found[f"{name} minus {base}"] = row
    return found


def _shown(given: Mapping[str, np.ndarray], key: str, side: int) -> tuple[np.ndarray, np.ndarray]:
    classes = given[f"{key}|logits"].argmax(axis=1)
    return shown_maps(given[key], classes, side), classes


def _teachers(
    answers: Mapping[str, Mapping[str, np.ndarray]],
    name: str,
    key: str,
    classes: np.ndarray,
    side: int,
) -> np.ndarray | None:
    """The teacher's maps of the classes that a student names."""
    if TEACHER not in answers or name == TEACHER:
        return None
    return shown_maps(answers[TEACHER][key], classes, side)


def _area(masks: np.ndarray) -> np.ndarray:
    return np.asarray(masks.mean(axis=(1, 2)))


def _baselines(scene: Scene) -> dict[str, Any]:
    """What an even map, and a map that always shows the middle, would reach."""
    side, counts = scene.masks.shape[1], (len(scene.ids), len(scene.choosing))
    maps = {
        "even": [np.ones((count, side, side)) for count in counts],
        "middle": [_middle(count, side) for count in counts],
    }
    found = {}
    for name, (shown, chosen) in maps.items():
        threshold = best_threshold(chosen, scene.choosing_masks)
        looked = summary(look(shown, scene.masks, threshold), scene.groups)
        # The maximum of an even map is nowhere, so a point at random hits the lesion by its area.
        if name == "even":
            looked["pointing"] = with_interval(mean_of(_area(scene.masks)), scene.groups)
        found[name] = plain({key: looked[key] for key in FIGURES if key != "agreement"})
    return found


def _middle(count: int, side: int) -> np.ndarray:
    """A bell in the middle of every image, (count, side, side)."""
    along = np.linspace(-1, 1, side)
    bell = np.exp(-(along[:, None] ** 2 + along[None] ** 2) / (2 * _MIDDLE**2))
    return np.broadcast_to(bell, (count, side, side))
