"""Calibration and verification images: balanced, seeded, apart from the test side."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from export.image_set import ImageSet, draw_at_random, draw_balanced, network_pixels
from export.quantization.calibration_set import draw_calibration_set, read_calibration_set
from runtimes.contract import Preprocessing
from runtimes.errors import InputError
from runtimes.preprocess import preprocess

COUNTS = (100, 20, 3)


class Data:
    """A data set of three classes; every lesion has two images."""

    def __init__(
        self,
        shared: bool = False,
        lesion_shared: bool = False,
        side: str = "test",
        counts: tuple[int, int, int] = COUNTS,
    ) -> None:
        self.index = SimpleNamespace(classes=("A", "B", "C"))
        self.split = SimpleNamespace(protocol="lesion")
        self._labels = np.repeat([0, 1, 2], counts)
        self._damaged = side
        self._other = ("train0",) if shared else ("other0",)
        self._other_groups = ["lesion0"] if lesion_shared else ["other"]
        pixels = np.random.default_rng(0).integers(0, 256, (200, 12, 12, 3)).astype(np.uint8)
        self.cache = SimpleNamespace(pixels=pixels, rows=self._rows)

    def _rows(self, ids: tuple[str, ...]) -> np.ndarray:
        return np.array([int(image.removeprefix("train")) for image in ids])

    def ids(self, side: str) -> tuple[str, ...]:
        if side == "train":
            return tuple(f"train{i}" for i in range(len(self._labels)))
        return self._other if side == self._damaged else ("another",)

    def labels(self, side: str) -> np.ndarray:
        return self._labels

    def groups(self, side: str) -> list[str]:
        if side == "train":
            return [f"lesion{i // 2}" for i in range(len(self._labels))]
        return self._other_groups if side == self._damaged else ["another"]


def _data(**settings: Any) -> Any:
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


@pytest.mark.parametrize("side", ["validation", "test"])
@pytest.mark.parametrize("settings", [{"shared": True}, {"lesion_shared": True}])
def test_calibration_on_another_side_is_refused(settings: dict[str, bool], side: str) -> None:
    with pytest.raises(InputError, match=f"{side} side"):
        draw_calibration_set(_data(**settings, side=side), 123, seed=0)


@pytest.mark.parametrize("count", [-1, 0, 7])
def test_too_few_calibration_images_are_refused(count: int) -> None:
    with pytest.raises(InputError, match=f"^{count} calibration images are too few"):
        draw_calibration_set(_data(), count, seed=0)


def test_a_training_side_without_images_is_refused() -> None:
    with pytest.raises(InputError, match=r"has 0 images to calibrate on, .*--only onnx:fp32"):
        draw_calibration_set(_data(counts=(0, 0, 0)), 16, seed=0)


def test_images_of_a_single_class_are_refused_by_its_name() -> None:
    with pytest.raises(InputError, match=r"of the class B; .*every class: A, B, C"):
        draw_calibration_set(_data(counts=(0, 20, 0)), 16, seed=0)


def test_a_missing_class_is_named_and_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    drawn = draw_calibration_set(_data(counts=(20, 0, 3)), 16, seed=0)
    assert "no image to calibrate on shows B" in capsys.readouterr().err
    assert drawn.to_json()["missing_classes"] == ["B"]


def test_fewer_images_than_asked_for_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    draw_calibration_set(_data(), 123, seed=0)
    assert capsys.readouterr().err == ""
    draw_calibration_set(_data(), 124, seed=0)
    assert "124 calibration images are asked for and the training side has 123" in (
        capsys.readouterr().err
    )


def test_the_record_tells_lesions_preprocessing_and_a_checksum_of_the_pixels() -> None:
    data, recipe = _data(), Preprocessing(True, "none", 12, 20, "bilinear", True)
    drawn = draw_balanced(data, "train", 120, seed=0)
    described, pixels = read_calibration_set(data, drawn, recipe)
    record = described.to_json()
    assert record["lesions"] == 62
    assert record["preprocessing"] == vars(recipe)
    assert record["pixels_sha256"] == hashlib.sha256(pixels.tobytes()).hexdigest()
    data.cache.pixels[int(drawn.ids[5].removeprefix("train")), 3, 3, 0] ^= 1
    changed, _ = read_calibration_set(data, drawn, recipe)
    assert changed.to_json()["pixels_sha256"] != record["pixels_sha256"]
    assert changed.sha256 != described.sha256  # so neither takes the other's place in a manifest


def _with_pictures(telling: int, plain: int, repeated: int) -> tuple[Any, ImageSet]:
    data = _data()
    drawn = draw_balanced(data, "train", telling + plain + repeated, seed=0)
    rows = data.cache.rows(drawn.ids)
    data.cache.pixels[rows[telling : telling + plain]] = np.arange(plain)[:, None, None, None]
    data.cache.pixels[rows[telling + plain :]] = data.cache.pixels[rows[0]]
    return data, drawn


@pytest.mark.parametrize(("plain", "repeated"), [(25, 0), (0, 25), (12, 13)])
def test_pictures_that_tell_nothing_are_counted_and_refused(plain: int, repeated: int) -> None:
    recipe = Preprocessing(True, "none", 12, 20, "bilinear", True)
    data, drawn = _with_pictures(7, plain, repeated)
    with pytest.raises(
        InputError, match=f"{plain} of the 32 .* one colour .* {repeated} repeat .* leaves 7 "
    ):
        read_calibration_set(data, drawn, recipe)


def test_a_few_such_pictures_are_said_and_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    recipe = Preprocessing(True, "none", 12, 20, "bilinear", True)
    data, drawn = _with_pictures(8, 2, 1)
    described, _ = read_calibration_set(data, drawn, recipe)
    assert "2 of the 11 calibration images are one colour all over" in capsys.readouterr().err
    record = described.to_json()
    assert record["plain"] == drawn.ids[8:10]
    assert record["repeated"] == drawn.ids[10:]
