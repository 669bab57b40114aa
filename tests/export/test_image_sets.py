"""Calibration and verification images: balanced, seeded, apart from the test side."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from export.image_set import draw_at_random, draw_balanced, network_pixels
from export.quantization.calibration_set import draw_calibration_set
from runtimes.contract import Preprocessing
from runtimes.errors import InputError
from runtimes.preprocess import preprocess

COUNTS = (100, 20, 3)


class Data:
    """A data set of three classes; every lesion has two images."""

    def __init__(self, shared: bool = False, lesion_shared: bool = False) -> None:
        self.index = SimpleNamespace(classes=("A", "B", "C"))
        self.split = SimpleNamespace(protocol="lesion")
        self._labels = np.repeat([0, 1, 2], COUNTS)
        self._test = ("train0",) if shared else ("test0",)
        self._test_groups = ["lesion0"] if lesion_shared else ["other"]
        pixels = np.random.default_rng(0).integers(0, 256, (200, 12, 12, 3)).astype(np.uint8)
        self.cache = SimpleNamespace(pixels=pixels, rows=self._rows)

    def _rows(self, ids: tuple[str, ...]) -> np.ndarray:
        return np.array([int(image.removeprefix("train")) for image in ids])

    def ids(self, side: str) -> tuple[str, ...]:
        train = tuple(f"train{i}" for i in range(sum(COUNTS)))
        return train if side == "train" else self._test

    def labels(self, side: str) -> np.ndarray:
        return self._labels

    def groups(self, side: str) -> list[str]:
        if side == "test":
            return self._test_groups
        return [f"lesion{i // 2}" for i in range(sum(COUNTS))]


def _data(**settings: bool) -> Any:
    return Data(**settings)


def test_classes_are_balanced_and_a_rare_one_gives_all_it_has() -> None:
    drawn = draw_balanced(_data(), "train", 30, seed=0)
    assert drawn.counts == {"A": 14, "B": 13, "C": 3}
    assert len(set(drawn.ids)) == 30


def test_every_lesion_gives_one_image_before_any_gives_a_second() -> None:
    drawn = draw_balanced(_data(), "train", 120, seed=0)
    ids = [int(image.removeprefix("train")) for image in drawn.ids]
    assert drawn.counts["A"] == 97
    assert {i // 2 for i in ids if i < 100} == set(range(50))


def test_the_seed_decides_and_is_recorded() -> None:
    first, again = (draw_balanced(_data(), "train", 30, seed=1) for _ in range(2))
    other = draw_balanced(_data(), "train", 30, seed=2)
    assert first == again
    assert first.sha256 == again.sha256 != other.sha256
    record = first.to_json()
    assert record["seed"] == 1
    assert record["images"] == len(record["ids"]) == 30


def test_a_random_draw_follows_the_classes_as_they_are() -> None:
    drawn = draw_at_random(_data(), "train", 60, seed=0)
    assert len(set(drawn.ids)) == 60
    assert drawn.counts["A"] > 3 * drawn.counts["B"]


def test_pixels_are_enlarged_as_an_application_does_it() -> None:
    data, recipe = _data(), Preprocessing(True, "none", 12, 20, "bilinear", True)
    found = network_pixels(data, ("train3", "train1"), recipe)
    for pixels, row in zip(found, (3, 1), strict=True):
        assert np.array_equal(pixels, preprocess(Image.fromarray(data.cache.pixels[row]), recipe))


@pytest.mark.parametrize("settings", [{"shared": True}, {"lesion_shared": True}])
def test_calibration_on_the_test_side_is_refused(settings: dict[str, bool]) -> None:
    with pytest.raises(InputError, match="test side"):
        draw_calibration_set(_data(**settings), 123, seed=0)


def test_too_few_calibration_images_are_refused() -> None:
    with pytest.raises(InputError, match="too few"):
        draw_calibration_set(_data(), 7, seed=0)
