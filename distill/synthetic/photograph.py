"""One photograph of a synthetic lesion: skin, framing, light, and artefacts that tell no class."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from distill.synthetic.artefacts import gel_bubbles, hairs, ruler
from distill.synthetic.canvas import Lesion
from distill.synthetic.texture import (
    Array,
    grid,
    mesh,
    mix,
    noise,
    smoothstep,
)

_SKIN_TONES = (
    (0.93, 0.76, 0.68),
    (0.90, 0.66, 0.60),
    (0.88, 0.69, 0.59),
    (0.83, 0.63, 0.52),
    (0.70, 0.51, 0.41),
)


def skin_tone(rng: np.random.Generator) -> Array:
    """Returns the RGB colour, from 0 to 1, of one person's skin."""
    return np.asarray(_SKIN_TONES[rng.integers(len(_SKIN_TONES))]) + rng.normal(0, 0.02, 3)


def take_photograph(
    lesion: Lesion, tone: Array, rng: np.random.Generator, size: int
) -> tuple[Image.Image, Image.Image]:
    """Sets a lesion on skin and photographs it; a further call gives another view of it.

    Returns:
        RGB image and lesion mask ("L", 0 or 255), both size × size.
    """
    colour, opacity, mask = _frame(lesion, rng, size)
    skin, grain = _skin(tone, rng, size)
    # Dark skin darkens what lies in it; half of the way keeps the signs' colours apart.
    tint = 0.5 + 0.5 * skin.mean((0, 1)) / np.asarray(_SKIN_TONES[0])
    image = skin + opacity[..., None] * (colour * tint - skin)
    image = image * (1 + grain * (1 - 0.4 * opacity))[..., None]
    if rng.random() < 0.30:
        image = gel_bubbles(image, rng)
    image = _light(image, rng, size)
    if rng.random() < 0.45:
        image = hairs(image, rng)
    if rng.random() < 0.18:
        image = ruler(image, rng)
    if rng.random() < 0.15:
        image = _round_field(image, rng, size)
    image = image + rng.normal(0, 0.008, image.shape)
    photograph = Image.fromarray((np.clip(image, 0, 1) * 255).astype(np.uint8))
    photograph = photograph.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.7)))
    return photograph, Image.fromarray(np.where(mask > 0.5, 255, 0).astype(np.uint8))


def _frame(lesion: Lesion, rng: np.random.Generator, size: int) -> tuple[Array, Array, Array]:
    """Turns, mirrors, scales and shifts the lesion into the picture."""
    canvas = len(lesion.mask)
    turn, zoom = rng.uniform(0, 2 * np.pi), rng.uniform(0.75, 1.1) * canvas / size
    cos, sin = np.cos(turn) * zoom, np.sin(turn) * zoom
    flip = -1 if rng.random() < 0.5 else 1
    shift_x, shift_y = rng.uniform(-0.12, 0.12, 2) * size
    half = size / 2
    row_x = (cos * flip, -sin, canvas / 2 - cos * flip * (half + shift_x) + sin * (half + shift_y))
    row_y = (sin * flip, cos, canvas / 2 - sin * flip * (half + shift_x) - cos * (half + shift_y))
    # Colours are weighted by opacity, or the edge would take on what lies beyond it.
    layers = [lesion.colour[..., k] * lesion.opacity for k in range(3)]
    moved = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(layer, dtype=np.float32)).transform(
                (size, size), Image.Transform.AFFINE, (*row_x, *row_y), Image.Resampling.BICUBIC
            )
        )
        for layer in (*layers, lesion.opacity, lesion.mask)
    ]
    opacity = np.clip(moved[3], 0, 1)
    colour = np.stack(moved[:3], axis=-1) / np.maximum(opacity, 1e-3)[..., None]
    return np.clip(colour, 0, 1), opacity, moved[4]


def _skin(tone: Array, rng: np.random.Generator, size: int) -> tuple[Array, Array]:
    """Returns skin (S, S, 3) and the fine relief that also runs through the lesion."""
    skin = np.broadcast_to(tone, (size, size, 3)).astype(np.float32)
    blush = noise(rng, size, 3)
    skin = mix(skin, (0.85, 0.50, 0.45), 0.08 + 0.07 * blush)
    skin = mix(skin, (0.70, 0.50, 0.38), 0.06 * np.clip(noise(rng, size, 5), 0, None))
    line, _ = mesh(rng, size, rng.uniform(0.09, 0.13), 0.9, 0.3)
    furrows = np.exp(-((line / 0.25) ** 2)) * rng.uniform(0.01, 0.035)
    pores = noise(rng, size, 40, 2) * 0.012
    return skin, pores - furrows


def _light(image: Array, rng: np.random.Generator, size: int) -> Array:
    """Vignette, slant of light, white balance and exposure."""
    x, y = grid(size)
    vignette = 1 - rng.uniform(0.03, 0.22) * (x**2 + y**2)
    angle = rng.uniform(0, 2 * np.pi)
    slant = 1 + rng.uniform(0, 0.07) * (x * np.cos(angle) + y * np.sin(angle))
    balance = rng.normal(1, 0.03, 3) * rng.uniform(0.88, 1.06)
    return image * (vignette * slant)[..., None] * balance


def _round_field(image: Array, rng: np.random.Generator, size: int) -> Array:
    """The black rim of a dermatoscope's round field of view."""
    x, y = grid(size)
    radius = rng.uniform(1.08, 1.3)
    rim = smoothstep(radius - 0.03, radius + 0.03, np.hypot(x, y))
    return mix(image, (0.03, 0.03, 0.03), rim)
