"""Which images are asked about: drawn once by a seed, the same for every network and file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from benchmarks.trust import pictures
from benchmarks.trust.masks import Masks
from distill.dataset import Dataset
from distill.index import open_images

CHOOSING, REPORTING = "validation", "test"


@dataclass(frozen=True)
class Amounts:
    """How many images of each kind are asked about.

    Attributes:
        fit: training images of each class that a score is fitted on.
        side: validation and test images each; None for all.
        pictures: of each kind that should not be answered.
        masked: test images with lesion masks for where the network looked; a third as many
            validation images serve to find the threshold of the intersection over union.
        changed: test images that are turned, brightened, compressed and blurred.
        seed: of all draws.
    """

    fit: int = 400
    side: int | None = None
    pictures: int = 200
    masked: int = 500
    changed: int = 300
    seed: int = 0

    @property
    def whole(self) -> bool:
        """Whether at least as many of each kind as by default: what a model card may tell."""
        usual = Amounts()
        return all(
            getattr(self, name) >= getattr(usual, name)
            for name in ("fit", "pictures", "masked", "changed")
        )


def cached(dataset: Dataset, ids: Sequence[str]) -> list[np.ndarray]:
    """Returns decoded images, uint8 (E, E, 3) each."""
    return [np.asarray(dataset.cache.pixels[row]) for row in dataset.cache.rows(ids)]


def fit_ids(dataset: Dataset, amounts: Amounts) -> tuple[str, ...]:
    """Training images, at most `amounts.fit` of each class."""
    ids, labels = dataset.ids("train"), dataset.labels("train")
    rng = np.random.default_rng([amounts.seed, 1])
    order = rng.permutation(len(ids))
    taken = [
        row
        for label in range(len(dataset.index.classes))
        for row in order[labels[order] == label][: amounts.fit]
    ]
    return tuple(ids[row] for row in taken)


def side_rows(dataset: Dataset, side: str, amounts: Amounts) -> np.ndarray:
    """Places of the images of a side that are asked about, ascending."""
    count = len(dataset.ids(side))
    if amounts.side is None or amounts.side >= count:
        return np.arange(count)
    rng = np.random.default_rng([amounts.seed, 2])
    return np.sort(rng.permutation(count)[: amounts.side])


def drawn_ids(ids: Sequence[str], count: int, seed: int) -> tuple[str, ...]:
    """Draws at most `count` of some images."""
    order = np.random.default_rng([seed, 3]).permutation(len(ids))
    return tuple(ids[place] for place in order[:count])


def unanswerable(
    dataset: Dataset,
    side: str,
    amounts: Amounts,
    photos: Mapping[str, Image.Image],
    masks: Masks | None,
) -> dict[str, list[np.ndarray]]:
    """Makes the pictures of every kind that should not be answered, see `pictures`.

    Args:
        dataset: whose images are spoilt, and whose skin beside lesions is cut out.
        side: CHOOSING or REPORTING; lesions and seeds of the two differ.
        amounts: how many of each.
        photos: of that side.
        masks: of lesions; without them there is no skin beside lesions.
    """
    edge, count = dataset.cache.size, amounts.pictures
    rng = np.random.default_rng([amounts.seed, 4, side == REPORTING])
    found = {
        "drawn": pictures.drawn(count, edge, rng),
        "photos": pictures.photo_crops(photos, count, edge, rng),
        "noise": pictures.noise(count, edge, rng),
    }
    lesions = cached(dataset, drawn_ids(dataset.ids(side), count, amounts.seed))
    found["blurred"] = pictures.blurred(lesions)
    found["occluded"] = pictures.occluded(lesions, rng)
    if masks is None:
        return found
    masked = drawn_ids(masks.of(dataset.ids(side)), 4 * count, amounts.seed)
    own = read_masks(dataset, masks, masked)
    skin = pictures.bare_skin(cached(dataset, masked), own)[:count]
    return found | ({pictures.SKIN: skin} if skin else {})


def read_masks(dataset: Dataset, masks: Masks, ids: Sequence[str]) -> list[np.ndarray]:
    """Returns masks as the decoded images lie, bool (E, E) each.

    Raises:
        InputError: a mask is missing, empty, unreadable, or of another aspect than its image.
    """
    source, edge = open_images(dataset.index), dataset.cache.size
    record = {each.image: each for each in dataset.index.records}
    found = []
    for image in ids:
        shape = _shape(source.read(record[image]))
        found.append(masks.read(image, edge, shape))
    return found


def _shape(content: bytes) -> tuple[int, int]:
    import io

    with Image.open(io.BytesIO(content)) as image:
        return image.size
