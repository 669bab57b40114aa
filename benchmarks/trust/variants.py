"""The same picture as another phone, another hand or another file would hand it over."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

Change = Callable[[np.ndarray], np.ndarray]


def _turned(quarters: int) -> Change:
    return lambda image: np.rot90(image, quarters).copy()


def _slanted(degrees: float) -> Change:
    def change(image: np.ndarray) -> np.ndarray:
        edge = len(image) // 2  # mirrored borders, so that no black corner gives it away
        padded = np.pad(image, ((edge, edge), (edge, edge), (0, 0)), mode="symmetric")
        turned = Image.fromarray(padded).rotate(degrees, Image.Resampling.BICUBIC)
        return np.asarray(turned)[edge : edge + len(image), edge : edge + len(image)]

    return change


def _brighter(factor: float) -> Change:
    return lambda image: np.asarray(ImageEnhance.Brightness(Image.fromarray(image)).enhance(factor))


def _jpeg(quality: int) -> Change:
    def change(image: np.ndarray) -> np.ndarray:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "JPEG", quality=quality)
        return np.asarray(Image.open(stream).convert("RGB"))

    return change


def _blurred(share: float) -> Change:
    def change(image: np.ndarray) -> np.ndarray:
        blur = ImageFilter.GaussianBlur(share * len(image))
        return np.asarray(Image.fromarray(image).filter(blur))

    return change


def _mirrored(axis: int) -> Change:
    return lambda image: np.flip(image, axis).copy()


# What happens to a picture at the effective resolution, by kind and strength. σ of the blur is in
# shares of the side, since a lens does not know about pixels.
CHANGES: dict[str, Change] = {
    "rotation 90°": _turned(1),
    "rotation 180°": _turned(2),
    "rotation 30°": _slanted(30),
    "flip left-right": _mirrored(1),
    "flip up-down": _mirrored(0),
    "brightness ×0.7": _brighter(0.7),
    "brightness ×0.85": _brighter(0.85),
    "brightness ×1.15": _brighter(1.15),
    "brightness ×1.3": _brighter(1.3),
    "JPEG quality 90": _jpeg(90),
    "JPEG quality 75": _jpeg(75),
    "JPEG quality 50": _jpeg(50),
    "focus blur σ 0.5 %": _blurred(0.005),
    "focus blur σ 1 %": _blurred(0.010),
    "focus blur σ 2 %": _blurred(0.020),
}

# How an application enlarges the picture to the network's input; the contract says bilinear.
FILTERS = {
    "resize nearest": Image.Resampling.NEAREST,
    "resize bicubic": Image.Resampling.BICUBIC,
    "resize Lanczos": Image.Resampling.LANCZOS,
}


def resized(image: np.ndarray, side: int, resampling: Image.Resampling) -> np.ndarray:
    """Returns a square image at another side, by a filter that is not the contract's."""
    return np.asarray(Image.fromarray(image).resize((side, side), resampling))
