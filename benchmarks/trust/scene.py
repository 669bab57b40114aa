"""The images that networks are shown to see where they look: clean, and with pasted artefacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.trust.ask import Setting
from benchmarks.trust.images import CHOOSING, REPORTING, cached, drawn_ids, read_masks
from distill.synthetic.artefacts import ARTEFACTS
from runtimes.errors import InputError

CLEAN = "clean"
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
