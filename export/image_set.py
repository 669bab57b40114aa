"""Images drawn from one side of a split by a seed, and recorded by name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runtimes.contract import Preprocessing

if TYPE_CHECKING:
    from distill.dataset import Dataset


@dataclass(frozen=True)
class ImageSet:
    """Which images were taken, in the order in which they are used.

    Attributes:
        side: "train", "validation" or "test".
        seed: of the draw.
        ids: identifiers of the images.
        counts: class code → number of images.
    """

    side: str
    seed: int
    ids: tuple[str, ...]
    counts: dict[str, int]

    @property
    def sha256(self) -> str:
        """The hash of the identifiers, one a line."""
        return hashlib.sha256("".join(f"{image}\n" for image in self.ids).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Returns what the manifest records."""
        return {
            "side": self.side,
            "images": len(self.ids),
            "classes": self.counts,
            "seed": self.seed,
            "sha256": self.sha256,
            "ids": list(self.ids),
        }


def draw_balanced(
    dataset: Dataset, side: str, count: int, seed: int, apart: frozenset[str] = frozenset()
) -> ImageSet:
    """Draws up to `count` images of one side, as many of each class as there are.

    A class that has fewer than its share gives all it has, and the others make up for it. Within
    a class every lesion gives one image before any gives a second. Images in `apart` stay out.
    """
    labels, groups = dataset.labels(side), dataset.groups(side)
    free = np.array([image not in apart for image in dataset.ids(side)])
    generator = np.random.default_rng([seed, len(labels)])
    queues = [
        _one_of_each_first(generator.permutation(np.flatnonzero((labels == label) & free)), groups)
        for label in range(len(dataset.index.classes))
    ]
    shares = _shares([len(queue) for queue in queues], count)
    taken = np.concatenate([queue[:share] for queue, share in zip(queues, shares, strict=True)])
    return _image_set(dataset, side, seed, generator.permutation(taken))


def draw_at_random(dataset: Dataset, side: str, count: int, seed: int) -> ImageSet:
    """Draws up to `count` images of one side, classes as frequent as they are there."""
    generator = np.random.default_rng([seed, len(dataset.ids(side))])
    rows = generator.permutation(len(dataset.ids(side)))[:count]
    return _image_set(dataset, side, seed, rows)


def network_pixels(
    dataset: Dataset, images: Sequence[str], preprocessing: Preprocessing
) -> np.ndarray:
    """Returns the images as the network's input, uint8 (M, S, S, 3).

    The cache holds them at the effective resolution; they are enlarged exactly as an application
    does it with a photo.
    """
    from PIL import Image

    from runtimes.preprocess import resize_square

    rows = dataset.cache.rows(images)
    size = preprocessing.size
    result = np.empty((len(rows), size, size, 3), np.uint8)
    for position, row in enumerate(rows):
        image = resize_square(Image.fromarray(dataset.cache.pixels[row]), size)
        result[position] = np.asarray(image)
    return result


def _image_set(dataset: Dataset, side: str, seed: int, rows: np.ndarray) -> ImageSet:
    ids, labels = dataset.ids(side), dataset.labels(side)
    counts = np.bincount(labels[rows], minlength=len(dataset.index.classes))
    return ImageSet(
        side=side,
        seed=seed,
        ids=tuple(ids[row] for row in rows),
        counts=dict(zip(dataset.index.classes, (int(count) for count in counts), strict=True)),
    )


def _one_of_each_first(rows: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    seen: set[str] = set()
    first: list[int] = []
    further: list[int] = []
    for row in rows:
        (further if groups[row] in seen else first).append(int(row))
        seen.add(groups[row])
    return np.array(first + further, dtype=np.int64)


def _shares(available: Sequence[int], count: int) -> list[int]:
    """Fills up evenly: every class gets one more as long as it has one and `count` is not met."""
    shares = [0] * len(available)
    while sum(shares) < count:
        open_classes = [i for i, n in enumerate(available) if shares[i] < n]
        if not open_classes:
            break
        for i in open_classes[: count - sum(shares)]:
            shares[i] += 1
    return shares
