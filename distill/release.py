"""A finished run as a released model: weights, contract, figures, split and card, no images."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from distill.checkpoint import STUDENT_FILE
from distill.comparison import measure_run, read_student
from distill.dataset import Dataset, DeviceImages, describe_dataset
from distill.metrics import evaluate
from distill.model_card import CARD_FILE, model_card
from distill.recipes import read_recipe
from distill.subgroups import subgroups
from runtimes.atomic import replacing_folder, write_json, write_text
from runtimes.contract import check_model_name
from runtimes.metadata import CONTRACT_FILE

SAMPLE_IMAGES = 400
_SAMPLE_SEED = 0


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
        InputError: no finished run, or a name that cannot be one.
    """
    check_model_name(out.name, str(out))
    _, contract = read_student(run)
    about = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    measured = measure_run(run, dataset, images, "test")
    about["subgroups"] = subgroups(measured.probabilities, dataset)
    about["fixed_sample"] = fixed_sample(measured.probabilities, dataset)
    recipe = read_recipe(run / "recipe.yaml")
    named = replace(contract, name=out.name)
    with replacing_folder(out) as temporary:
        shutil.copyfile(run / STUDENT_FILE, temporary / STUDENT_FILE)
        shutil.copyfile(run / "recipe.yaml", temporary / "recipe.yaml")
        shutil.copyfile(run / "split.json", temporary / "split.json")
        write_text(temporary / CONTRACT_FILE, named.to_json())
        write_json(temporary / "metrics.json", about)
        describe_dataset(temporary, dataset, with_places=False)
        write_text(temporary / CARD_FILE, model_card(named, about, recipe))
    return dict(about)


def fixed_sample(probabilities: np.ndarray, dataset: Dataset) -> dict[str, Any]:
    """Figures on some test images, by which others can check a model file in a minute.

    Args:
        probabilities: of the whole test side, (N, K).
        dataset: with the test side.
    """
    rows = sample_rows(len(probabilities))
    target, ids = dataset.labels("test")[rows], dataset.ids("test")
    found = evaluate(
        probabilities[rows],
        target,
        [dataset.groups("test")[row] for row in rows],
        dataset.index.classes,
        replicates=1,
    )
    return {
        "side": "test",
        "images": [ids[row] for row in rows],
        **{name: estimate.value for name, estimate in found.scalars().items()},
    }


def sample_rows(images: int) -> np.ndarray:
    """Rows of the test side that `fixed_sample` takes, in ascending order."""
    drawn = np.random.Generator(np.random.PCG64([_SAMPLE_SEED])).permutation(images)
    return np.sort(drawn[:SAMPLE_IMAGES])
