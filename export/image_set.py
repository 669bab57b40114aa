"""Images drawn from one side of a split by a seed, and recorded by name."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runtimes.contract import Preprocessing

if TYPE_CHECKING:
    from distill.dataset import Dataset


@dataclass(frozen=True)
class Content:
    """What a network is given of the images, and which of them have little to say.

    Attributes:
        preprocessing: how the pixels were made.
        pixels_sha256: of the network's input, uint8 (M, S, S, 3) in C order.
        plain: identifiers of images that are one colour all over.
        repeated: identifiers of images whose pixels are those of an earlier one.
    """

    preprocessing: Preprocessing
    pixels_sha256: str
    plain: tuple[str, ...]
    repeated: tuple[str, ...]


@dataclass(frozen=True)
class ImageSet:
    """Which images were taken, in the order in which they are used.

    Attributes:
        side: "train", "validation" or "test".
        seed: of the draw.
        ids: identifiers of the images.
        counts: class code → number of images.
        lesions: how many different lesions they show.
        content: what their pixels are; None until they are read.
    """

    side: str
    seed: int
    ids: tuple[str, ...]
    counts: dict[str, int]
    lesions: int
    content: Content | None = None

    @property
    def missing_classes(self) -> tuple[str, ...]:
        """Codes of the classes without an image."""
        return tuple(code for code, count in self.counts.items() if not count)

    @property
    def sha256(self) -> str:
        """The hash of the identifiers, one a line, and of `pixels_sha256` on one more if known."""
        lines = [*self.ids, *([self.content.pixels_sha256] if self.content else [])]
        return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Returns what the manifest records."""
        return {
            "side": self.side,
            "images": len(self.ids),
            "lesions": self.lesions,
            "classes": self.counts,
            "missing_classes": list(self.missing_classes),
            "seed": self.seed,
            "sha256": self.sha256,
            **(asdict(self.content) if self.content else {}),
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
    free = np.array([image not in apart for image in dataset.ids(side)], dtype=bool)
    generator = np.random.default_rng([seed, len(labels)])
    queues = [
        _one_of_each_first(generator.permutation(np.flatnonzero((labels == label) & free)), groups)
        for label in range(len(dataset.index.classes))
    ]
    shares = _shares([len(queue) for queue in queues], count)
    taken = np.concatenate([queue[:share] for queue, share in zip(queues, shares, strict=True)])
    return _image_set(dataset, side, seed, generator.permutation(taken))


def draw_at_random(
    dataset: Dataset, side: str, count: int, seed: int, apart: Collection[str] = ()
) -> ImageSet:
    """Draws up to `count` images of one side, classes as frequent as they are there.

    Args:
        dataset: that they are drawn from.
        side: "train", "validation" or "test".
        count: at most so many.
        seed: of the draw.
        apart: ids that are not drawn.
    """
    ids = dataset.ids(side)
    order = np.random.default_rng([seed, len(ids)]).permutation(len(ids))
    rows = [row for row in order if ids[row] not in apart][:count]
    return _image_set(dataset, side, seed, np.array(rows, dtype=order.dtype))


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


def diagnoses_and_lesions(dataset: Dataset, images: ImageSet) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns the class numbers, int64 (M,), and the lesions of the images, in their order."""
    places = {image: place for place, image in enumerate(dataset.ids(images.side))}
    rows = [places[image] for image in images.ids]
    groups = dataset.groups(images.side)
    return dataset.labels(images.side)[rows], tuple(groups[row] for row in rows)


def with_content(images: ImageSet, pixels: np.ndarray, preprocessing: Preprocessing) -> ImageSet:
    """Returns the set with what `network_pixels` made of it written down."""
    seen: set[bytes] = set()
    plain, repeated = [], []
    for image, values in zip(images.ids, pixels, strict=True):
        if (values == values[0, 0]).all():
            plain.append(image)
        digest = hashlib.sha256(values.tobytes()).digest()
        if digest in seen:
            repeated.append(image)
        seen.add(digest)
    checksum = hashlib.sha256(pixels.tobytes()).hexdigest()
    content = Content(preprocessing, checksum, tuple(plain), tuple(repeated))
    return replace(images, content=content)


def _image_set(dataset: Dataset, side: str, seed: int, rows: np.ndarray) -> ImageSet:
    ids, labels, groups = dataset.ids(side), dataset.labels(side), dataset.groups(side)
    counts = np.bincount(labels[rows], minlength=len(dataset.index.classes))
    return ImageSet(
        side=side,
        seed=seed,
        ids=tuple(ids[row] for row in rows),
        counts=dict(zip(dataset.index.classes, (int(count) for count in counts), strict=True)),
        lesions=len({groups[row] for row in rows}),
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
