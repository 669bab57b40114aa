"""Whatever a photo is stored as, the same pixels reach the network, or one clear error does."""

from __future__ import annotations

import contextlib
import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from runtimes.contract import Preprocessing
from runtimes.errors import InputError
from runtimes.preprocess import load_image, preprocess, resize_square, squash

from .conftest import encode, photo

RECIPE = Preprocessing(
    exif_orientation=True,
    crop="none",
    effective_resolution=20,
    size=32,
    resize_filter="bilinear",
    antialias=True,
)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP"])
def test_lossless_formats_decode_to_the_same_pixels(kind: str) -> None:
    image = photo()
    content = encode(image, kind, lossless=True) if kind == "WEBP" else encode(image, kind)
    assert np.array_equal(np.asarray(load_image(content, "x")), np.asarray(image))


def test_grey_is_repeated_over_the_channels() -> None:
    grey = photo().convert("L")
    pixels = np.asarray(load_image(encode(grey, "PNG"), "x"))
    assert np.array_equal(pixels, np.repeat(np.asarray(grey)[..., None], 3, axis=2))


def test_sixteen_bits_are_scaled_and_not_cut_off() -> None:
    deep = np.array([[0, 257, 400, 32768, 65535]], dtype=np.uint16)
    pixels = np.asarray(load_image(encode(Image.fromarray(deep), "PNG"), "x"))
    assert pixels[0, :, 0].tolist() == [0, 1, 2, 128, 255]


def test_cmyk_becomes_rgb() -> None:
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    pixels = np.asarray(load_image(encode(red, "JPEG", quality=95), "x"))
    assert np.abs(pixels.astype(int) - [255, 0, 0]).max() < 12


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparent_pixels_lie_over_white(mode: str) -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    content = encode(image.convert("P" if mode == "PA" else mode), "PNG")
    assert np.asarray(load_image(content, "x"))[0, :, 0].tolist() == [255, 0]


def test_exif_orientation_turns_the_image_unless_told_not_to() -> None:
    image = photo(size=(6, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held a quarter turn to the left
    content = encode(image, "PNG", exif=exif)
    turned = np.rot90(np.asarray(image), k=-1)
    assert np.array_equal(np.asarray(load_image(content, "x")), turned)
    assert load_image(content, "x", exif_orientation=False).size == (6, 4)


@pytest.mark.parametrize("orientation", range(10))
def test_every_orientation_is_turned_as_pillow_does(orientation: int) -> None:
    image = photo(size=(6, 4))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    content = encode(image, "PNG", exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    assert np.array_equal(np.asarray(load_image(content, "x")), np.asarray(expected))


def test_a_damaged_tag_does_not_lose_the_orientation() -> None:
    damaged = (
        b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x02"
        b"\x01\x1a\x00\x02\x00\x00\x00\x06\x00\x00\x00&"  # a resolution in letters
        b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00m\xf0\x00er\x00"
    )
    content = encode(photo(), "JPEG", exif=damaged)
    assert load_image(content, "x").size == (40, 60)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("damaged", [b"II*\x00\xff\xff\xff\xff", b"\xff" * 20])
def test_exif_data_that_cannot_be_read_counts_as_none(damaged: bytes) -> None:
    assert load_image(encode(photo(), "JPEG", exif=b"Exif\x00\x00" + damaged), "x").size == (60, 40)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_truncated_images_are_named(kind: str) -> None:
    content = encode(photo(), kind)
    for share in (0.1, 0.5, 0.9):
        with pytest.raises(InputError, match="lesion-7"):
            load_image(content[: int(len(content) * share)], "lesion-7")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_damaged_images_give_pixels_or_an_input_error_and_nothing_else(kind: str) -> None:
    content = encode(photo(), kind)
    rng = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 6):
            damaged[place] = int(rng.integers(0, 256))
        with contextlib.suppress(InputError):
            assert load_image(bytes(damaged), "x").mode == "RGB"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\x00" * 500, "not an image"),
        (b"image,diagnosis\na,MEL\n", "not an image"),
        (b"\x00\x00\x00\x18ftypheic" + b"\x00" * 50, "HEIC"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
    ],
)
def test_what_is_not_an_image_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        load_image(content, "x")


def test_a_missing_path_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.jpg"):
        load_image(tmp_path / "gone.jpg")
    with pytest.raises(InputError, match="not a file"):
        load_image(tmp_path)


def test_a_hundred_megapixel_jpeg_is_decoded_small() -> None:
    image = load_image(encode(Image.new("L", (10_000, 10_000), 77), "JPEG"), "x")
    assert image.size == (2500, 2500)
    assert np.asarray(image)[0, 0].tolist() == [77, 77, 77]


def test_more_than_two_hundred_megapixels_are_refused_from_the_header_alone() -> None:
    # the size stands in bytes 18 to 26 of a BMP header; no pixel follows
    header = bytearray(encode(Image.new("L", (1, 1)), "BMP"))
    header[18:26] = (20_000).to_bytes(4, "little") + (20_000).to_bytes(4, "little")
    with pytest.raises(InputError, match="400 megapixels"):
        load_image(bytes(header), "x")


def test_one_pixel_fills_the_input() -> None:
    pixels = preprocess(Image.new("RGB", (1, 1), (9, 8, 7)), RECIPE)
    assert pixels.shape == (32, 32, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == [9, 8, 7]).all()


def test_the_photo_is_first_reduced_to_the_resolution_of_training() -> None:
    image = photo(size=(300, 200))
    twice = image.resize((20, 20), Image.Resampling.BILINEAR).resize(
        (32, 32), Image.Resampling.BILINEAR
    )
    assert np.array_equal(preprocess(image, RECIPE), np.asarray(twice))
    once = dataclasses.replace(RECIPE, effective_resolution=32)
    assert np.array_equal(
        preprocess(image, once), np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR))
    )


def test_reduction_averages_over_all_pixels() -> None:
    board = np.indices((64, 64)).sum(0) % 2 * 255
    image = Image.fromarray(board.astype(np.uint8)).convert("RGB")
    assert np.abs(np.asarray(squash(image, "none", 8)).astype(int) - 128).max() <= 2


def test_the_center_square_leaves_the_borders_out() -> None:
    image = Image.new("RGB", (90, 30), "black")
    image.paste((255, 255, 255), (30, 0, 60, 30))
    assert (np.asarray(squash(image, "center-square", 16)) == 255).all()
    assert (np.asarray(squash(image, "none", 16)) == 0).any()


def test_preprocess_is_squash_and_resize() -> None:
    image = photo(size=(50, 70))
    square = squash(image, "center-square", 20)
    recipe = dataclasses.replace(RECIPE, crop="center-square")
    assert np.array_equal(np.asarray(resize_square(square, 32)), preprocess(image, recipe))
