"""The pictures of an export: what files are calibrated on and compared on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from distill.dataset import Dataset, is_released, open_dataset, prepare_dataset
from distill.readers.labels_csv import LABELS
from distill.sample import SAMPLE_FOLDER, write_sample
from export.golden import golden_images
from export.image_set import ImageSet, draw_at_random, network_pixels, with_content
from export.quantization.calibration_set import draw_calibration_set, read_calibration_set
from runtimes.console import note, warn
from runtimes.contract import Contract
from runtimes.errors import InputError

SMALLEST_PARITY = 64


@dataclass(frozen=True)
class Draw:
    """How many pictures are wanted.

    Attributes:
        calibration_images: of the calibration set; None if no format needs one.
        parity_images: of the verification set, 64 or more.
        seed: of both draws.
    """

    calibration_images: int | None
    parity_images: int
    seed: int


@dataclass(frozen=True)
class Pictures:
    """Pictures as a network takes them, uint8 (N, S, S, 3), and which they are.

    Attributes:
        dataset: that they were drawn from.
        calibration: the calibration set; None if none was asked for.
        samples: its pixels.
        parity: the verification set.
        images: its pixels.
        golden: the golden images, which are drawn by code.
    """

    dataset: Dataset
    calibration: ImageSet | None
    samples: np.ndarray | None
    parity: ImageSet
    images: np.ndarray
    golden: np.ndarray


def read_pictures(run: Path, contract: Contract, data: Path | None, wanted: Draw) -> Pictures:
    """Draws and reads the pictures of a run; the two sets have no image in common.

    Args:
        run: a finished run, or a released model.
        contract: its own, with size and preprocessing.
        data: where the data set lies now.
        wanted: how many.

    Raises:
        InputError: the data set cannot be opened, or has too few images or too much alike.
    """
    dataset = images_of(run, contract, data)
    parity = _draw_parity(dataset, wanted)
    recipe = contract.preprocessing
    calibration = samples = None
    if wanted.calibration_images is not None:
        apart = frozenset(parity.ids)
        found = draw_calibration_set(dataset, wanted.calibration_images, wanted.seed, apart)
        calibration, samples = read_calibration_set(dataset, found, recipe)
    images = network_pixels(dataset, parity.ids, recipe)
    parity = with_content(parity, images, recipe)
    return Pictures(dataset, calibration, samples, parity, images, golden_images(recipe.size))


def images_of(run: Path, contract: Contract, data: Path | None) -> Dataset:
    """Opens the run's data set; the synthetic sample for a released model without `data`."""
    if data is not None or not is_released(run):
        return open_dataset(run, data)
    warn(
        f"{run} carries no images, so ranges are calibrated and files are compared on the "
        "synthetic sample. Give the images that it was trained on with --data."
    )
    if not (SAMPLE_FOLDER / LABELS).is_file():
        write_sample(SAMPLE_FOLDER)
    return prepare_dataset(SAMPLE_FOLDER, contract.preprocessing.effective_resolution)


def _draw_parity(dataset: Dataset, wanted: Draw) -> ImageSet:
    """Draws from the validation side, or from another where that one is too small a test.

    The files are compared with torch, not with diagnoses, so training images serve as well, as long
    as they are kept out of the calibration set.
    """
    if wanted.parity_images < SMALLEST_PARITY:
        raise InputError(
            f"{wanted.parity_images} images are too few to compare files on: expected "
            f"{SMALLEST_PARITY} or more."
        )
    drawn = [
        draw_at_random(dataset, side, wanted.parity_images, wanted.seed)
        for side in ("validation", "test", "train")
    ]
    largest = max(drawn, key=lambda images: len(images.ids))
    chosen = next((images for images in drawn if len(images.ids) >= SMALLEST_PARITY), largest)
    if len(chosen.ids) < SMALLEST_PARITY:
        raise InputError(
            f"no side of the split has {SMALLEST_PARITY} images to compare files on (the "
            f"{chosen.side} side has {len(chosen.ids)}). Train on a larger data set."
        )
    if len(chosen.ids) < wanted.parity_images:
        note(
            f"the {chosen.side} side has {len(chosen.ids):,} images; files are compared on all of "
            f"them, not on {wanted.parity_images:,}."
        )
    return chosen
