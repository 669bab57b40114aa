"""Pictures that a lesion classifier should not answer: made from code, photos and the data set.

Every kind is made twice, from other seeds, other photos and other sides of the split: once to
choose the unknown score by, once to report it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from runtimes.errors import InputError
from runtimes.preprocess import load_image

NOT_DERMOSCOPY = ("drawn", "photos", "noise")
SPOILT = ("blurred", "occluded")
SKIN = "non-lesion skin"
_SMALLEST_SKIN = 1 / 3  # of the side: smaller pieces are enlarged beyond recognition


@dataclass(frozen=True)
class Photos:
    """Photographs that show anything but skin under a dermatoscope.

    Attributes:
        choosing: names and pictures to choose a score by.
        reporting: others, to report it by.
    """

    choosing: Mapping[str, Image.Image]
    reporting: Mapping[str, Image.Image]

    @cached_property
    def sha256(self) -> str:
        """Of names and pixels, by which answers about other photos are told apart."""
        found = hashlib.sha256()
        for side in (self.choosing, self.reporting):
            for name, picture in sorted(side.items()):
                found.update(f"{name} {picture.size}".encode() + picture.tobytes())
            found.update(b"|")
        return found.hexdigest()


def bundled_photos() -> Photos:
    """Photos that come with packages which training needs anyway.

    A temple (scikit-learn) to choose by; a flower (scikit-learn) and a portrait (matplotlib) to
    report by.
    """
    import matplotlib
    import sklearn.datasets

    folder = Path(sklearn.datasets.__file__).parent / "images"
    sample = Path(matplotlib.get_data_path()) / "sample_data"
    read = {
        "china": folder / "china.jpg",
        "flower": folder / "flower.jpg",
        "portrait": sample / "grace_hopper.jpg",
    }
    found = {name: load_image(path.read_bytes(), str(path)) for name, path in read.items()}
    return Photos({"china": found.pop("china")}, found)


def drawn(count: int, side: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Shapes, stripes, gradients and letters in arbitrary colours, uint8 (side, side, 3) each."""
    makers = (_shapes, _stripes, _gradient, _letters)
    return [makers[k % len(makers)](side, rng) for k in range(count)]


def noise(count: int, side: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Noise from single pixels to large clouds, in colour and grey."""
    found = []
    for k in range(count):
        cells = max(2, side // (1, 2, 6, 16)[k % 4])
        channels = 3 if k % 8 < 4 else 1
        field = rng.integers(0, 256, (cells, cells, channels)).astype(np.uint8)
        image = Image.fromarray(np.broadcast_to(field, (cells, cells, 3)).copy())
        found.append(np.asarray(image.resize((side, side), Image.Resampling.BICUBIC)))
    return found


def photo_crops(
    photos: Mapping[str, Image.Image], count: int, side: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Square pieces of photos, from a quarter of the shorter side to all of it, turned at random.

    Raises:
        InputError: there is no photo, or one is smaller than its pieces.
    """
    if not photos:
        raise InputError("there is no photo to take pieces of; name a folder with --photos.")
    for name, picture in photos.items():
        if min(picture.size) < side:
            raise InputError(
                f"{name}: the photo has {picture.width}×{picture.height} pixels, expected {side} "
                "or more on each side, for pieces of it are shown. Take it out of --photos."
            )
    pictures = list(photos.values())
    found = []
    for k in range(count):
        picture = pictures[k % len(pictures)]
        edge = int(min(picture.size) * rng.uniform(0.25, 1))
        left = int(rng.integers(0, picture.width - edge + 1))
        top = int(rng.integers(0, picture.height - edge + 1))
        piece = picture.crop((left, top, left + edge, top + edge)).resize(
            (side, side), Image.Resampling.BILINEAR
        )
        found.append(np.rot90(np.asarray(piece), int(rng.integers(4))).copy())
    return found


def blurred(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Images of lesions so far out of focus that no structure is left: σ is 8 % of the side."""
    found = []
    for image in images:
        blur = ImageFilter.GaussianBlur(0.08 * image.shape[0])
        found.append(np.asarray(Image.fromarray(image).filter(blur)))
    return found


def occluded(images: Sequence[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Images of lesions whose middle, 70 % of each side, is covered by one colour."""
    found = []
    for image in images:
        side = image.shape[0]
        edge = round(0.7 * side)
        left, top = (int(rng.integers(0, side - edge + 1)) for _ in range(2))
        covered = image.copy()
        covered[top : top + edge, left : left + edge] = rng.integers(0, 256, 3)
        found.append(covered)
    return found


def bare_skin(images: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The largest square of each image that no lesion reaches, enlarged to the image's side.

    Pieces smaller than a third of the side are left out, and so are those that are nearly black,
    which lie outside of a round field of view.

    Args:
        images: uint8 (E, E, 3).
        masks: bool (E, E), True on the lesion.
    """
    found = []
    for image, mask in zip(images, masks, strict=True):
        side = image.shape[0]
        top, left, edge = largest_square(~_grown(mask, max(1, side // 28)))
        piece = image[top : top + edge, left : left + edge]
        if edge < _SMALLEST_SKIN * side or np.quantile(piece.max(axis=2), 0.02) < 60:
            continue
        enlarged = Image.fromarray(piece).resize((side, side), Image.Resampling.BILINEAR)
        found.append(np.asarray(enlarged))
    return found


def largest_square(free: np.ndarray) -> tuple[int, int, int]:
    """Returns row, column and side of the largest square of True in a bool array (H, W)."""
    total = np.pad(free.astype(int).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    low, high, best = 0, min(free.shape), (0, 0, 0)
    while low < high:
        side = (low + high + 1) // 2
        inner = total[side:, side:] - total[:-side, side:] - total[side:, :-side]
        full = np.argwhere(inner + total[:-side, :-side] == side * side)
        if len(full):
            low, best = side, (int(full[0][0]), int(full[0][1]), side)
        else:
            high = side - 1
    return best


def _grown(mask: np.ndarray, margin: int) -> np.ndarray:
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(image.filter(ImageFilter.MaxFilter(2 * margin + 1))) > 0


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in rng.integers(0, 256, 3))
    return red, green, blue


def _shapes(side: int, rng: np.random.Generator) -> np.ndarray:
    image = Image.new("RGB", (side, side), _colour(rng))
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(2, 9))):
        corners = rng.uniform(0, side, (2, 2))
        (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
        if rng.random() < 0.5:
            pen.rectangle((x0, y0, x1, y1), fill=_colour(rng))
        else:
            pen.polygon([tuple(p) for p in rng.uniform(0, side, (3, 2))], fill=_colour(rng))
    return np.asarray(image)


def _stripes(side: int, rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[0:side, 0:side]
    angle, period = rng.uniform(0, np.pi), rng.uniform(3, side / 3)
    on = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period) > 0
    colours = rng.integers(0, 256, (2, 3))
    return np.where(on[..., None], colours[0], colours[1]).astype(np.uint8)


def _gradient(side: int, rng: np.random.Generator) -> np.ndarray:
    corners = rng.integers(0, 256, (2, 2, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(corners).resize((side, side), Image.Resampling.BILINEAR))


def _letters(side: int, rng: np.random.Generator) -> np.ndarray:
    image = Image.new("RGB", (side, side), _colour(rng))
    pen = ImageDraw.Draw(image)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    for _ in range(int(rng.integers(3, 12))):
        word = "".join(alphabet[k] for k in rng.integers(0, len(alphabet), 5))
        pen.text(tuple(rng.uniform(-0.1, 0.8, 2) * side), word, fill=_colour(rng))
    return np.asarray(image)
