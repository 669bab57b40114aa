"""Where each network looked: on clean images, and with artefacts pasted in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

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
from benchmarks.trust.bootstrap import mean_of, with_interval
from benchmarks.trust.images import CHOOSING, REPORTING, cached, drawn_ids, read_masks
from benchmarks.trust.kept import Arrays
from benchmarks.trust.network import Network, enlarged
from distill.checkpoint import STUDENT_FILE, TEACHER_FILE, load_classifier
from distill.gradcam import grad_cam
from distill.models import normalise
from distill.splits import read_split
from distill.synthetic.artefacts import ARTEFACTS
from export.deployable import Deployable
from runtimes.console import progress
from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.json_files import read_json

CLEAN, TEACHER = "clean", "teacher"
_COMPARED = 8
_PASTED = 8  # grey levels that a pixel must change by to count as the artefact's


@dataclass(frozen=True)
class Scene:
    """The images that every network is shown.

    Attributes:
        ids: of the test images, (N,).
        groups: their lesions.
        pictures: "clean" or an artefact to images, uint8 (N, E, E, 3).
        pasted: artefact to the pixels that it changed, bool (N, E, E).
        masks: of the lesions, bool (N, E, E).
        choosing: validation images to find the threshold by, and `choosing_masks`.
    """

    ids: tuple[str, ...]
    groups: list[str]
    pictures: dict[str, np.ndarray]
    pasted: dict[str, np.ndarray]
    masks: np.ndarray
    choosing: np.ndarray
    choosing_masks: np.ndarray


def make_scene(setting: Setting) -> Scene:
    """Draws images with masks and pastes each artefact once into each.

    Raises:
        InputError: no masks, or none of the images of a side has one.
    """
    masks, dataset, amounts = setting.masks, setting.dataset, setting.amounts
    if masks is None:
        raise InputError("where a network looked needs lesion masks; name them with --masks.")
    ids, choosing = (
        drawn_ids(masks.of(dataset.ids(side)), count, amounts.seed)
        for side, count in ((REPORTING, amounts.masked), (CHOOSING, max(1, amounts.masked // 3)))
    )
    for side, found in ((REPORTING, ids), (CHOOSING, choosing)):
        if not found:
            raise InputError(
                f"{masks.root} has no mask of any image of the {side} side of {dataset.source}. "
                "Masks are called IMAGE.png after their image; name others with --masks."
            )
    group = dict(zip(dataset.ids(REPORTING), dataset.groups(REPORTING), strict=True))
    clean = np.stack(cached(dataset, ids))
    pictures, pasted = {CLEAN: clean}, {}
    for number, (name, paste) in enumerate(ARTEFACTS.items()):
        rng = np.random.default_rng([amounts.seed, 5, number])
        made = np.stack([_pasted(image, paste, rng) for image in clean])
        change = np.abs(made.astype(np.int16) - clean).max(axis=3)
        pictures[name], pasted[name] = made, change >= _PASTED
    return Scene(
        ids=ids,
        groups=[group[image] for image in ids],
        pictures=pictures,
        pasted=pasted,
        masks=np.stack(read_masks(dataset, masks, ids)),
        choosing=np.stack(cached(dataset, choosing)),
        choosing_masks=np.stack(read_masks(dataset, masks, choosing)),
    )


def _pasted(image: np.ndarray, paste: Any, rng: np.random.Generator) -> np.ndarray:
    found = paste(image.astype(np.float32) / 255, rng)
    return np.clip(np.rint(found * 255), 0, 255).astype(np.uint8)


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
    path = _weights(folder)
    size = _size(folder, setting, name)

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


def _weights(folder: Path) -> Path:
    for file in (STUDENT_FILE, TEACHER_FILE):
        if (folder / file).is_file():
            return folder / file
    raise InputError(
        f"{folder} holds neither {STUDENT_FILE} nor {TEACHER_FILE}. Name a finished run, or the "
        "folder of a teacher."
    )


def _size(folder: Path, setting: Setting, name: str) -> int:
    path = folder / "metrics.json"
    try:
        size, split = int(read_json(path)["size"]), read_split(folder / "split.json").sha256
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} does not tell the input size of {name} ({error}).") from error
    if split != setting.dataset.split.sha256:
        raise InputError(
            f"{folder} ({name}) was trained on another split, so it may have seen the images that "
            "it is asked about. Name a run of the same data, --split and --seed."
        )
    return size


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
            "accuracy": dict(vars(with_interval(mean_of(right), scene.groups))),
            "artefacts": {},
        }
        on_artefact[name] = {}
        for artefact, pixels in scene.pasted.items():
            after, now = _shown(given, artefact, side)
            teacher = _teachers(answers, name, artefact, now, side)
            looked = look(after, scene.masks, threshold, teacher)
            on = energy_on(after, pixels)
            area = _area(pixels)
            on_artefact[name][artefact] = on
            row["artefacts"][artefact] = {
                "loss": plain(loss(clean[name], looked, scene.groups)),
                "energy_on_artefact": dict(vars(with_interval(mean_of(on), scene.groups))),
                "artefact_area": float(area.mean()),
                "excess": dict(vars(with_interval(mean_of(on - area), scene.groups))),
                "same_diagnosis": dict(
                    vars(with_interval(mean_of((now == classes).astype(float)), scene.groups))
                ),
            }
        found["networks"][name] = row
    found["differences"] = _differences(scene, clean, on_artefact)
    return found


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
    count, side = scene.masks.shape[:2]
    along = np.linspace(-1, 1, side)
    middle = np.exp(-(along[:, None] ** 2 + along[None] ** 2) / (2 * 0.4**2))
    maps = {"even": np.ones((side, side)), "middle": middle}
    found = {}
    for name, each in maps.items():
        shown = np.broadcast_to(each, (count, side, side))
        chosen = np.broadcast_to(each, (len(scene.choosing), side, side))
        threshold = best_threshold(chosen, scene.choosing_masks)
        looked = summary(look(shown, scene.masks, threshold), scene.groups)
        # The maximum of an even map is nowhere, so a point at random hits the lesion by its area.
        if name == "even":
            looked["pointing"] = with_interval(mean_of(_area(scene.masks)), scene.groups)
        found[name] = plain({key: looked[key] for key in FIGURES if key != "agreement"})
    return found


def answers_to_the_article(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the article's claims, each with yes, no or "not measured", and its numbers."""
    networks = found["networks"]
    claims = []

    def claim(text: str, verdict: str, evidence: str) -> None:
        claims.append({"claim": text, "answer": verdict, "evidence": evidence})

    ours = next((name for name in networks if name.startswith("ssd_kd")), None)
    if ours is None:
        return claims
    middle = found["baselines"]["middle"]["energy"]["value"]
    area = found["lesion_share"]["area"]["value"]
    energy = networks[ours]["clean"]["energy"]
    claim(
        f"{ours} looks at the lesion more than chance",
        "yes" if energy["low"] > area else "no",
        f"{_percent(energy)} of the class map lies in the lesion, whose area is {100 * area:.1f} % "
        f"of the frame; a map that always shows the middle has {100 * middle:.1f} %",
    )
    excess = {name: row["excess"] for name, row in networks[ours]["artefacts"].items()}
    drawn = [name for name, each in excess.items() if each["low"] is not None and each["low"] > 0]
    claim(
        f"{ours} does not look at hair, rulers, gel bubbles or ink",
        "no" if drawn else "yes",
        "; ".join(
            f"{name}: {_points(each)} points of the map beyond the artefact's area"
            for name, each in excess.items()
        ),
    )
    key = f"{ours} minus no_kd"
    if key not in found["differences"]:
        text = "without distillation the map sits on artefacts, with SSD-KD on the lesion"
        claim(text, "not measured", "name the run of no_kd with --run no_kd=FOLDER")
        return claims
    row = found["differences"][key]
    claim(
        f"{ours} looks at the lesion more than no_kd",
        _verdict(row["energy"]),
        f"{_points(row['energy'])} points of the map inside the lesion",
    )
    for artefact in networks[ours]["artefacts"]:
        difference = row[f"energy on {artefact}"]
        turned = {"low": _minus(difference["high"]), "high": _minus(difference["low"])}
        claim(
            f"{ours} looks at {artefact} less than no_kd",
            _verdict(turned),
            f"{_points(difference)} points of the map on it",
        )
    return claims


def _verdict(difference: Mapping[str, float | None]) -> str:
    low, high = difference["low"], difference["high"]
    if low is None or high is None:
        return "not measured"
    if low > 0:
        return "yes"
    return "no, the contrary" if high < 0 else "no difference shown"


def _minus(value: float | None) -> float | None:
    return None if value is None else -value


def _percent(found: Mapping[str, float]) -> str:
    low, high = 100 * found["low"], 100 * found["high"]
    return f"{100 * found['value']:.1f} % ({low:.1f} to {high:.1f})"


def _points(found: Mapping[str, float | None]) -> str:
    values = [found[key] for key in ("value", "low", "high")]
    if any(value is None for value in values):
        return "–"
    value, low, high = (100 * float(value or 0) for value in values)
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def named_networks(words: Sequence[str]) -> dict[str, Path]:
    """Reads NAME=FOLDER words.

    Raises:
        InputError: a word is not of that form, or a name stands twice.
    """
    found: dict[str, Path] = {}
    for word in words:
        name, _, folder = word.partition("=")
        if not name or not folder or name in found:
            raise InputError(
                f"--run {word}: expected NAME=FOLDER, each name once, for example no_kd=runs/no_kd."
            )
        if not name.replace("_", "").replace("-", "").isalnum():
            raise InputError(f"--run {word}: the name may have letters, digits, - and _ only.")
        found[name] = Path(folder)
    return found
