"""A finished run as a released model: weights, contract, figures, split and card, no images."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from distill.calibration import calibrated
from distill.checkpoint import STUDENT_FILE
from distill.comparison import measure_run, read_student
from distill.dataset import Dataset, DeviceImages, describe_dataset
from distill.metrics import evaluate
from distill.model_card import CARD_FILE, model_card
from distill.models import Classifier, normalise
from distill.recipes import read_recipe
from distill.subgroups import subgroups
from distill.unknown import UNKNOWN_FILE
from runtimes.atomic import check_apart, check_folder, replacing_folder, write_json, write_text
from runtimes.contract import Contract, check_model_name
from runtimes.errors import InputError
from runtimes.json_files import read_json
from runtimes.metadata import CONTRACT_FILE
from runtimes.preprocess import resize_square

SAMPLE_IMAGES = 400
_SAMPLE_SEED = 0
_FILES = (
    *(STUDENT_FILE, CONTRACT_FILE, CARD_FILE),
    *("recipe.yaml", "split.json", "metrics.json", "data.json", UNKNOWN_FILE),
)


def release(run: Path, out: Path, dataset: Dataset, images: DeviceImages) -> dict[str, Any]:
    """Writes a run as a released model into `out`, which is replaced as a whole.

    Args:
        run: a finished run.
        out: folder under models/; its name becomes the model's.
        dataset: the run's data set.
        images: its decoded images.

    Returns:
        What metrics.json holds.

    Raises:
        InputError: no finished run, a name that cannot be one, or `out` holds something else.
    """
    check_model_name(out.name, str(out))
    check_folder(out, CARD_FILE, _FILES)
    check_apart(out, run)
    model, contract = read_student(run)
    about = _metrics(run)
    measured = measure_run(run, dataset, images, "test")
    about["subgroups"] = subgroups(measured.probabilities, dataset)
    about["fixed_sample"] = fixed_sample(model, contract, dataset)
    recipe = read_recipe(run / "recipe.yaml")
    named = replace(contract, name=out.name)
    with replacing_folder(out) as temporary:
        shutil.copyfile(run / STUDENT_FILE, temporary / STUDENT_FILE)
        shutil.copyfile(run / "recipe.yaml", temporary / "recipe.yaml")
        shutil.copyfile(run / "split.json", temporary / "split.json")
        if model.unknown is not None:
            shutil.copyfile(run / UNKNOWN_FILE, temporary / UNKNOWN_FILE)
        write_text(temporary / CONTRACT_FILE, named.to_json())
        write_json(temporary / "metrics.json", about)
        describe_dataset(temporary, dataset, with_places=False)
        write_text(temporary / CARD_FILE, model_card(named, about, recipe))
    return dict(about)


def _metrics(run: Path) -> dict[str, Any]:
    path = run / "metrics.json"
    try:
        return dict(read_json(path))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{path} cannot be read ({error}). Measure the run again: "
            f"`python -m distill evaluate {run} --json FILE`, or restore the file."
        ) from error


def fixed_sample(model: Classifier, contract: Contract, dataset: Dataset) -> dict[str, Any]:
    """Figures on some test images, by which others can check a model file in a minute.

    The images go through the preprocessing of applications, which rounds twice where the training's
    own evaluation rounds once: an image at the border of two diagnoses can change sides.

    Args:
        model: the student.
        contract: with its preprocessing and temperature.
        dataset: with the test side.
    """
    rows = sample_rows(len(dataset.ids("test")))
    ids = [dataset.ids("test")[row] for row in rows]
    groups = dataset.groups("test")
    probabilities = _answers(model, contract, dataset.cache.pixels[dataset.cache.rows(ids)])
    found = evaluate(
        probabilities,
        dataset.labels("test")[rows],
        [groups[row] for row in rows],
        dataset.index.classes,
        replicates=1,
    )
    return {
        "side": "test",
        "images": ids,
        **{name: estimate.value for name, estimate in found.scalars().items()},
    }


@torch.no_grad()
def _answers(model: Classifier, contract: Contract, cached: np.ndarray) -> np.ndarray:
    """Probabilities (N, K) of cached images (N, E, E, 3), enlarged as applications do it."""
    size, found = contract.preprocessing.size, []
    for image in cached:
        pixels = np.array(resize_square(Image.fromarray(image), size))
        views = normalise(torch.from_numpy(pixels).permute(2, 0, 1)[None].float())
        found.append(model(views).logits[0])
    return calibrated(torch.stack(found).numpy(), contract.calibration.temperature)


def sample_rows(images: int) -> np.ndarray:
    """Rows of the test side that `fixed_sample` takes, in ascending order."""
    drawn = np.random.Generator(np.random.PCG64([_SAMPLE_SEED])).permutation(images)
    return np.sort(drawn[:SAMPLE_IMAGES])
