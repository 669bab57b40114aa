"""Golden tensors: a few inputs with the answers of torch and of every file, for other readers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from runtimes.atomic import replacing_file
from runtimes.contract import INPUT_NAME, OUTPUT_NAMES
from runtimes.prediction import Prediction

GOLDEN_FILE = "golden.safetensors"
TORCH = "torch"
_COUNT = 8
_SEED = 2021


def golden_images(size: int) -> np.ndarray:
    """Draws eight smooth pictures with a coloured spot, uint8 (8, S, S, 3), the same every time.

    They are drawn by code because golden tensors travel with the files, and no patient's picture
    may. A reader takes them from the file instead of drawing them again.

    Args:
        size: S, side in pixels.
    """
    generator = np.random.default_rng(_SEED)
    along = np.linspace(-1, 1, size)
    y, x = np.meshgrid(along, along, indexing="ij")
    pictures = []
    for _ in range(_COUNT):
        skin = generator.uniform((170, 120, 90), (240, 190, 170))
        spot = generator.uniform((50, 20, 10), (170, 100, 100))
        centre, radius = generator.uniform(-0.3, 0.3, 2), generator.uniform(0.2, 0.8)
        waves = sum(
            generator.uniform(2, 12) * np.cos(a * x + b * y + c)
            for a, b, c in generator.uniform(-12, 12, (6, 3))
        )
        distance = np.hypot(x - centre[0], y - centre[1]) / radius
        share = 1 / (1 + np.exp(np.clip(12 * (distance - 1), -30, 30)))
        colour = skin + share[..., None] * (spot - skin) + np.asarray(waves)[..., None]
        pictures.append(np.clip(np.rint(colour), 0, 255).astype(np.uint8))
    return np.stack(pictures)


def write_golden(
    path: Path,
    images: np.ndarray,
    predictions: Mapping[str, Prediction],
    keep: Collection[str] = (),
) -> None:
    """Writes the pictures and the answers to them, in one step.

    Tensors: `image` uint8 (G, S, S, 3), and for torch and each format `KEY/probabilities`,
    `KEY/cam` and `KEY/unknown` in float32.

    Args:
        path: golden.safetensors.
        images: uint8 (G, S, S, 3).
        predictions: "torch" or a format's key → answers to the images.
        keep: keys of formats whose answers in the earlier file stay, if it has the same images.
    """
    from safetensors.numpy import save

    tensors = _kept(path, images, keep)
    tensors[INPUT_NAME] = images
    for key, prediction in predictions.items():
        for name in OUTPUT_NAMES:
            tensors[f"{key}/{name}"] = np.ascontiguousarray(getattr(prediction, name))
    with replacing_file(path) as temporary:
        temporary.write_bytes(save(tensors))


def _kept(path: Path, images: np.ndarray, keep: Collection[str]) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        earlier = load_file(path)
    except (OSError, SafetensorError):
        return {}
    if not np.array_equal(earlier.get(INPUT_NAME, np.empty(0)), images):
        return {}
    return {name: value for name, value in earlier.items() if name.split("/")[0] in keep}
