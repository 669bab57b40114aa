"""The calibration set: training images on which int8 ranges and biases are measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from export.formats import FORMATS
from export.image_set import ImageSet, draw_balanced
from runtimes.errors import InputError

if TYPE_CHECKING:
    from distill.dataset import Dataset

SMALLEST = 8


def draw_calibration_set(
    dataset: Dataset, count: int, seed: int, apart: frozenset[str] = frozenset()
) -> ImageSet:
    """Draws training images, balanced over the classes and apart from the test side.

    Args:
        dataset: index, split and cache.
        count: images to draw.
        seed: of the draw.
        apart: images that are not taken, since files are compared on them.

    Raises:
        InputError: fewer than 8 images are asked for or there, or one of them (in a split by
            lesion: another image of its lesion) is on the test side too.
    """
    if count < SMALLEST:
        raise InputError(
            f"{count} calibration images are too few: expected {SMALLEST} or more, 256 is usual."
        )
    drawn = draw_balanced(dataset, "train", count, seed, apart)
    if len(drawn.ids) < SMALLEST:
        raise InputError(
            f"the training side has {len(drawn.ids)} images to calibrate on, and ranges and biases "
            f"need {SMALLEST} or more. Train on more images, or export what needs none with "
            f"--only {' '.join(form.key for form in FORMATS if not form.calibrated)}."
        )
    shared = set(drawn.ids) & set(dataset.ids("test"))
    if dataset.split.protocol == "lesion":
        lesions = dict(zip(dataset.ids("train"), dataset.groups("train"), strict=True))
        tested = set(dataset.groups("test"))
        shared |= {image for image in drawn.ids if lesions[image] in tested}
    if shared:
        raise InputError(
            f"{len(shared)} calibration images stand on the test side too, {min(shared)} for one. "
            "The split is damaged: make it again with `python -m distill train`."
        )
    return drawn
