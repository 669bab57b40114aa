"""Each released student gives its published figures, and the same answers at any resolution."""

from __future__ import annotations

import io
import json
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from distill.comparison import read_student
from distill.index import open_images, read_index
from distill.metrics import evaluate
from distill.splits import read_split
from export.reference import reference_session
from runtimes.preprocess import load_image, preprocess, resize_square

MODELS = sorted((Path(__file__).resolve().parents[1] / "models").glob("*/contract.json"))
RELEASED = [path.parent for path in MODELS]


def test_there_is_a_released_student() -> None:
    assert RELEASED


@pytest.mark.parametrize("model", RELEASED, ids=lambda path: path.name)
def test_the_fixed_sample_gives_the_published_figures(model: Path, shared: Path) -> None:
    about = json.loads((model / "metrics.json").read_text())["fixed_sample"]
    assert set(about["images"]) <= set(read_split(model / "split.json").test)
    student, contract = read_student(model)
    session, recipe = reference_session(student, contract), contract.preprocessing
    index = read_index(shared / "isic2019")
    record = {each.image: each for each in index.records}
    own = [record[image] for image in about["images"]]
    source = open_images(index)
    pixels = np.stack(
        [preprocess(load_image(source.read(each), each.image), recipe) for each in own]
    )
    probabilities = session.predict(pixels).probabilities
    found = evaluate(
        probabilities / probabilities.sum(1, keepdims=True),
        np.array([each.label for each in own]),
        [each.group for each in own],
        index.classes,
        replicates=1,
    )
    for name, estimate in found.scalars().items():
        assert estimate.value == pytest.approx(about[name], abs=5e-4), name


@pytest.mark.parametrize("model", RELEASED, ids=lambda path: path.name)
def test_an_original_gets_the_diagnosis_of_its_small_copy(model: Path, shared: Path) -> None:
    student, contract = read_student(model)
    session, recipe = reference_session(student, contract), contract.preprocessing
    with ZipFile(shared / "isic2019" / "images224.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".webp"))[::108]
        originals = [load_image(archive.read(name), name) for name in names]
    assert len(originals) >= 100
    sizes = {image.size for image in originals}
    assert sizes == {(224, 224)}

    def diagnoses(images: list[Image.Image]) -> np.ndarray:
        pixels = np.stack([preprocess(image, recipe) for image in images])
        return session.predict(pixels).probabilities.argmax(axis=1)

    small = [image.resize((84, 84), Image.Resampling.BILINEAR) for image in originals]
    large = [image.resize((896, 896), Image.Resampling.BICUBIC) for image in originals]
    found = diagnoses(originals)
    assert len(set(found.tolist())) >= 4
    assert (found == diagnoses(small)).mean() >= 0.99
    assert (found == diagnoses(large)).mean() >= 0.95
    # JPEG is the copy's loss, not the preprocessing's: at 84 px it moves some answers.
    compressed = (found == diagnoses([_jpeg(image) for image in small])).mean()
    assert compressed >= 0.90
    # Without the reduction to the training data's resolution the answers are others.
    sharp = np.stack([np.asarray(resize_square(image, recipe.size)) for image in originals])
    unlike = session.predict(sharp).probabilities.argmax(axis=1)
    assert (found == unlike).mean() < compressed


def _jpeg(image: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=92)
    return load_image(stream.getvalue())


@pytest.mark.parametrize("model", RELEASED, ids=lambda path: path.name)
def test_the_readme_tells_the_figures_of_the_released_student(model: Path) -> None:
    readme = (model.parents[1] / "README.md").read_text(encoding="utf-8")
    about = json.loads((model / "metrics.json").read_text())["metrics"]
    accuracy, balanced = (about[name]["value"] for name in ("accuracy", "balanced_accuracy"))
    assert f"models/{model.name}/MODEL_CARD.md" in readme
    assert f"accuracy {accuracy:.3f}, balanced accuracy {balanced:.3f} on" in readme
