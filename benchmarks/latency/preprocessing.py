"""The way from a photo to the network's input, timed apart from the network."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass

import numpy as np
from PIL import Image

from runtimes.contract import Preprocessing
from runtimes.preprocess import load_image, preprocess

PHOTO_SIZE = (1024, 768)  # of ISIC's dermoscopes, in pixels
_RUNS, _WARM_UP = 30, 3


@dataclass(frozen=True)
class PreprocessingTime:
    """Medians over 30 runs, in milliseconds.

    Attributes:
        decode: of the JPEG.
        resize: of crop and both resizes.
        p50: of both together.
        p90: of both together.
    """

    decode: float
    resize: float
    p50: float
    p90: float


def make_photo(size: tuple[int, int] = PHOTO_SIZE, seed: int = 0) -> bytes:
    """Returns a JPEG with what costs time in a photo's: soft areas, edges and sensor noise."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (24, 32, 3), np.uint8)
    soft = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC), np.float32)
    noisy = soft + generator.normal(0, 6, soft.shape)
    stream = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def time_preprocessing(recipe: Preprocessing) -> PreprocessingTime:
    """Times decoding and resizing of one photo as `recipe` asks for it."""
    photo = make_photo()
    times = []
    for _ in range(_WARM_UP + _RUNS):
        started = time.perf_counter()
        image = load_image(photo, exif_orientation=recipe.exif_orientation)
        decoded = time.perf_counter()
        preprocess(image, recipe)
        times.append((decoded - started, time.perf_counter() - decoded))
    milliseconds = 1e3 * np.array(times[_WARM_UP:])
    decode, resize = np.median(milliseconds, axis=0)
    p50, p90 = np.quantile(milliseconds.sum(axis=1), (0.5, 0.9))
    return PreprocessingTime(float(decode), float(resize), float(p50), float(p90))
