"""The calibration set: training images on which int8 ranges and biases are measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from export.formats import FORMATS
from export.image_set import ImageSet, draw_balanced, network_pixels, with_content
from runtimes.console import warn
from runtimes.contract import Preprocessing
from runtimes.errors import InputError

if TYPE_CHECKING:
    from distill.dataset import Dataset

SMALLEST = 8
_SMALLEST_CLASSES = 2


def draw_calibration_set(
    dataset: Dataset, count: int, seed: int, apart: frozenset[str] = frozenset()
) -> ImageSet:
    """Draws training images, balanced over classes and lesions, apart from the other sides.

    Says so where a class has no image, or where there are fewer images than asked for.

    Args:
        dataset: index, split and cache.
        count: images to draw.
        seed: of the draw.
        apart: images that are not taken, since files are compared on them.

    Raises:
        InputError: fewer than 8 images are asked for or there, they are of a single class, or one
            of them (in a split by lesion: another image of its lesion) stands on another side too.
    """
    if count < SMALLEST:
        raise InputError(
            f"{count} calibration images are too few: expected {SMALLEST} or more, 256 is usual."
        )
    drawn = draw_balanced(dataset, "train", count, seed, apart)
    if len(drawn.ids) < SMALLEST:
        kept_out = f" beside the {len(apart)} that are used otherwise" if apart else ""
        raise InputError(
            f"the training side has {len(drawn.ids)} images to calibrate on{kept_out}, and ranges "
            f"and biases need {SMALLEST} or more. Train on more images, or {_without()}"
        )
    if len(drawn.counts) - len(drawn.missing_classes) < _SMALLEST_CLASSES:
        (only,) = set(drawn.counts) - set(drawn.missing_classes)
        raise InputError(
            f"all {len(drawn.ids)} images to calibrate on are of the class {only}; ranges measured "
            "on them cut off what the others need. Expected images of every class: "
            f"{', '.join(drawn.counts)}. Add images of the other classes to the training side, or "
            f"{_without()}"
        )
    for side in ("validation", "test"):
        _check_apart(dataset, drawn, side)
    if drawn.missing_classes:
        warn(
            f"no image to calibrate on shows {', '.join(drawn.missing_classes)}: ranges and biases "
            "are measured on the other classes, and the manifest says so."
        )
    if len(drawn.ids) < count:
        warn(
            f"{count} calibration images are asked for and the training side has {len(drawn.ids)}; "
            "all of them are used."
        )
    return drawn


def _without() -> str:
    free = " ".join(form.key for form in FORMATS if not form.calibrated)
    return f"export what needs no calibration with --only {free}."


def _check_apart(dataset: Dataset, drawn: ImageSet, side: str) -> None:
    shared = set(drawn.ids) & set(dataset.ids(side))
    if dataset.split.protocol == "lesion":
        lesions = dict(zip(dataset.ids("train"), dataset.groups("train"), strict=True))
        others = set(dataset.groups(side))
        shared |= {image for image in drawn.ids if lesions[image] in others}
    if shared:
        raise InputError(
            f"{len(shared)} calibration images stand on the {side} side too, {min(shared)} for "
            "one. The split is damaged: make it again with `python -m distill train`."
        )


def read_calibration_set(
    dataset: Dataset, drawn: ImageSet, preprocessing: Preprocessing
) -> tuple[ImageSet, np.ndarray]:
    """Reads the images as the network's input and writes down what they are.

    Returns:
        The set with its content, and its pixels, uint8 (M, S, S, 3).

    Raises:
        InputError: fewer than 8 of them are different pictures of more than one colour.
    """
    pixels = network_pixels(dataset, drawn.ids, preprocessing)
    described = with_content(drawn, pixels, preprocessing)
    assert described.content is not None
    plain, repeated = described.content.plain, described.content.repeated
    telling = len(set(drawn.ids) - {*plain, *repeated})
    found = (
        f"{len(plain)} of the {len(drawn.ids)} calibration images are one colour all over and "
        f"{len(repeated)} repeat another pixel for pixel ({', '.join([*plain, *repeated][:3])})"
    )
    if telling < SMALLEST:
        raise InputError(
            f"{found}. That leaves {telling} pictures to measure ranges on, and {SMALLEST} or more "
            "are needed. Look at the images of the training side: were they decoded or copied "
            "wrongly?"
        )
    if plain or repeated:
        warn(f"{found}; the manifest lists them.")
    return described, pixels
