"""The cache holds the pixels that preprocessing makes, once, and is never half-written."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distill.cache import build_cache
from distill.dataset import prepare_dataset
from distill.index import Index, read_index
from runtimes.contract import Preprocessing
from runtimes.errors import InputError
from runtimes.preprocess import load_image, preprocess


def data_set(root: Path) -> Index:
    """Writes one image of each kind that a data set may hold: colour, grey, CMYK, 16 bit, RGBA."""
    rng = np.random.default_rng(3)
    images = root / "images"
    images.mkdir(parents=True)

    def pixels(*shape: int) -> np.ndarray:
        return rng.integers(0, 256, shape, dtype=np.uint8)

    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(pixels(50, 70, 3)).save(images / "colour.jpg", exif=turned)
    Image.fromarray(pixels(30, 40)).save(images / "grey.png")
    Image.fromarray(pixels(20, 30, 4), "CMYK").save(images / "cmyk.jpg")
    Image.fromarray(pixels(20, 30).astype(np.uint16) * 257).save(images / "deep.png")
    Image.fromarray(pixels(20, 30, 4), "RGBA").save(images / "clear.png")
    Image.fromarray(pixels(1, 1, 3)).save(images / "dot.webp")
    rows = [f"{path.stem},{'NV' if k % 2 else 'MEL'}" for k, path in enumerate(images.iterdir())]
    (root / "labels.csv").write_text("\n".join(["image,diagnosis", *rows]))
    return read_index(root)


@pytest.mark.parametrize("crop", ["none", "center-square"])
def test_pixels_are_those_of_preprocess(tmp_path: Path, crop: str) -> None:
    index = data_set(tmp_path / "data")
    cache = build_cache(index, tmp_path / "cache", 24, crop)
    recipe = Preprocessing(True, crop, 24, 24, "bilinear", True)
    assert cache.ids == tuple(record.image for record in index.records)
    assert cache.pixels.shape == (6, 24, 24, 3)
    assert cache.pixels.dtype == np.uint8
    for record, row in zip(index.records, cache.pixels, strict=True):
        path = tmp_path / "data" / "images" / record.location
        assert np.array_equal(row, preprocess(load_image(path), recipe))


def test_rows_follow_the_order_asked_for(tmp_path: Path) -> None:
    cache = build_cache(data_set(tmp_path / "data"), tmp_path / "cache", 8)
    rows = cache.rows(["grey", "clear"])
    assert rows.dtype == np.int64
    assert [cache.ids[row] for row in rows] == ["grey", "clear"]
    with pytest.raises(InputError, match="'nobody'"):
        cache.rows(["nobody"])


def test_a_second_call_decodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = data_set(tmp_path / "data")
    first = build_cache(index, tmp_path / "cache", 8)

    def refuse(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr("distill.cache.load_image", refuse)
    again = build_cache(index, tmp_path / "cache", 8)
    assert np.array_equal(first.pixels, again.pixels)
    assert again.ids == first.ids


def test_another_size_or_a_changed_image_builds_anew(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data")
    assert build_cache(index, tmp_path / "cache", 8).size == 8
    assert build_cache(index, tmp_path / "cache", 9).pixels.shape[1:3] == (9, 9)
    path = tmp_path / "data" / "images" / "dot.webp"
    Image.new("RGB", (3, 3), (250, 0, 0)).save(path, lossless=True)
    cache = build_cache(index, tmp_path / "cache", 9)
    assert cache.pixels[cache.rows(["dot"])[0]].reshape(-1, 3).mean(0).tolist() == [250, 0, 0]


def test_a_damaged_cache_is_built_anew(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data")
    first = np.array(build_cache(index, tmp_path / "cache", 8).pixels)
    path = tmp_path / "cache" / "pixels.npy"
    path.write_bytes(path.read_bytes()[:200])
    assert np.array_equal(build_cache(index, tmp_path / "cache", 8).pixels, first)


def test_all_unreadable_images_are_named_at_once(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data")
    images = tmp_path / "data" / "images"
    (images / "grey.png").write_bytes(b"no picture")
    (images / "colour.jpg").write_bytes((images / "colour.jpg").read_bytes()[:200])
    with pytest.raises(InputError, match="2 images") as caught:
        build_cache(index, tmp_path / "cache", 8)
    assert "grey.png" in str(caught.value)
    assert "colour.jpg" in str(caught.value)
    assert "--skip-unreadable" in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_unreadable_images_can_be_left_out_on_purpose(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data")
    (tmp_path / "data" / "images" / "grey.png").write_bytes(b"")
    cache = build_cache(index, tmp_path / "cache", 8, skip_unreadable=True)
    assert cache.skipped == ("grey",)
    assert len(cache.ids) == len(cache.pixels) == 5
    assert build_cache(index, tmp_path / "cache", 8, skip_unreadable=True).ids == cache.ids
    with pytest.raises(InputError, match="left out"):
        cache.rows(["grey"])
    with pytest.raises(InputError, match=r"grey\.png"):
        build_cache(index, tmp_path / "cache", 8)


def test_a_full_disk_is_said_and_leaves_the_earlier_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = data_set(tmp_path / "data")
    earlier = np.array(build_cache(index, tmp_path / "cache", 8).pixels)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(InputError, match="disk is full"):
        build_cache(index, tmp_path / "cache", 16)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert np.array_equal(np.load(tmp_path / "cache" / "pixels.npy"), earlier)


def test_an_interrupted_build_leaves_the_earlier_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = data_set(tmp_path / "data")
    earlier = np.array(build_cache(index, tmp_path / "cache", 8).pixels)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("distill.cache.preprocess", interrupt)
    with pytest.raises(KeyboardInterrupt):
        build_cache(index, tmp_path / "cache", 16)
    assert np.array_equal(np.load(tmp_path / "cache" / "pixels.npy"), earlier)


@pytest.mark.parametrize("size", [0, 7, 1025])
def test_a_size_out_of_range_is_an_error(tmp_path: Path, size: int) -> None:
    with pytest.raises(InputError, match="8 to 1024"):
        build_cache(data_set(tmp_path / "data"), tmp_path / "cache", size)


def test_real_images_come_from_the_zip_unchanged(tmp_path: Path, shared: Path) -> None:
    whole = read_index(shared / "isic2019")
    seen: set[int] = set()
    few = tuple(r for r in whole.records if not (r.label in seen or seen.add(r.label)))
    index = replace(whole, records=few)
    cache = build_cache(index, tmp_path / "cache", 84)
    assert cache.pixels.shape == (8, 84, 84, 3)
    assert cache.pixels.std(axis=(1, 2, 3)).min() > 5


def test_a_data_set_has_one_cache_however_it_is_named(sample: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for data in (sample, Path(os.path.relpath(sample))):
        prepare_dataset(data, 32, cache_folder=cache)
    assert len(list(cache.iterdir())) == 1
