"""Grey textures that skin and lesions are made of: noise, meshes, strokes and spots."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Array = np.ndarray
_SUPERSAMPLING = 3
_ROW = 0.87  # distance of the rows of a honeycomb, of its columns' distance


def grid(size: int) -> tuple[Array, Array]:
    """Returns x and y of each pixel's centre, from -1 to 1, each (size, size) float32."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return x, y


def smoothstep(low: float, high: float, value: Array) -> Array:
    """Rises smoothly from 0 at `low` to 1 at `high` (falls, if `low` is the larger)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(image: Array, colour: Iterable[float], weight: Array | float) -> Array:
    """Lays a colour over an image (H, W, 3) with a weight (H, W) from 0 to 1."""
    weight = np.clip(np.asarray(weight, dtype=np.float32), 0, 1)[..., None]
    return image + weight * (np.asarray(tuple(colour), dtype=np.float32) - image)


def noise(rng: np.random.Generator, size: int, cells: float, octaves: int = 3) -> Array:
    """Returns smooth noise (size, size) of mean 0 and deviation 1 with `cells` bumps a side."""
    total = np.zeros((size, size), dtype=np.float32)
    for octave in range(octaves):
        count = max(2, round(cells * 2**octave))
        # Drawn a little larger than needed: the outermost cells of a resized grid look flat.
        coarse = rng.standard_normal((count + 2, count + 2)).astype(np.float32)
        box = (1.0, 1.0, count + 1.0, count + 1.0)
        fine = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC, box=box)
        total += np.asarray(fine) * 0.55**octave
        if size < 2 * count:  # finer bumps than pixels
            break
    return (total - total.mean()) / (total.std() + 1e-6)


def mesh(
    rng: np.random.Generator, size: int, spacing: float, jitter: float, warp: float = 0.0
) -> tuple[Array, Array]:
    """Draws a honeycomb of jittered cells (a Voronoi diagram).

    Args:
        rng: source of randomness.
        size: edge in pixels.
        spacing: distance of neighbouring cells, of an image that is 2 wide.
        jitter: 0 regular to 1 irregular.
        warp: bends the lines by about this share of `spacing`.

    Returns:
        Distance to the nearest line and to the nearest cell's centre, both in units of `spacing`.
    """
    x, y = (axis / spacing for axis in grid(size))
    if warp:
        x = x + warp * noise(rng, size, 1.2 / spacing, 2)
        y = y + warp * noise(rng, size, 1.2 / spacing, 2)
    margin = 4 + int(4 * warp)
    count = int(2 / spacing) + 2 * margin
    moves = rng.uniform(-0.5, 0.5, (2, count, count)).astype(np.float32) * jitter
    row = np.floor(y / _ROW)
    nearest = np.full((size, size), np.inf, dtype=np.float32)
    second = nearest.copy()
    # Points are jittered by less than a cell, so the two nearest stand within two cells' reach.
    for down in range(-2, 3):
        shift = 0.5 * ((row + down) % 2)
        column = np.floor(x - shift)
        i = np.clip(row + (down + count // 2), 0, count - 1).astype(np.int32)
        offset_y = y - (row + (down + 0.5)) * _ROW
        for across in range(-2, 3):
            if abs(down) + abs(across) == 4:
                continue
            j = np.clip(column + (across + count // 2), 0, count - 1).astype(np.int32)
            gap_x = x - shift - column - (across + 0.5) - moves[0, i, j]
            gap_y = offset_y - moves[1, i, j]
            distance = gap_x * gap_x + gap_y * gap_y
            second = np.minimum(second, np.maximum(nearest, distance))
            nearest = np.minimum(nearest, distance)
    nearest, second = np.sqrt(nearest), np.sqrt(second)
    return second - nearest, nearest


def strokes(size: int, lines: Iterable[tuple[Array, float]], blur: float = 0.0) -> Array:
    """Draws polylines, each (n, 2) points from -1 to 1 with its width, as a mask from 0 to 1."""
    scale = size * _SUPERSAMPLING
    canvas = Image.new("L", (scale, scale))
    pen = ImageDraw.Draw(canvas)
    for points, width in lines:
        places = [tuple(point) for point in ((points + 1) * scale / 2).tolist()]
        pen.line(places, fill=255, width=max(1, round(width * scale / 2)), joint="curve")
    return _reduced(canvas, blur)


def spots(
    size: int, discs: Iterable[tuple[float, float, float, float]], blur: float = 0.0
) -> Array:
    """Draws ellipses (x, y, radius across, radius down; from -1 to 1) as a mask from 0 to 1."""
    scale = size * _SUPERSAMPLING
    canvas = Image.new("L", (scale, scale))
    pen = ImageDraw.Draw(canvas)
    for x, y, across, down in discs:
        corners = (x - across, y - down, x + across, y + down)
        pen.ellipse([(corner + 1) * scale / 2 for corner in corners], fill=255)
    return _reduced(canvas, blur)


def curve(rng: np.random.Generator, start: Array, end: Array, bend: float, wave: float) -> Array:
    """Returns 24 points from `start` to `end`, bent to one side and slightly wavy."""
    t = np.linspace(0, 1, 24)[:, None]
    along = end - start
    across = np.array([-along[1], along[0]])
    arc = bend * 4 * t * (1 - t)
    ripple = wave * np.sin(t * rng.uniform(5, 11) + rng.uniform(0, 6.3)) * np.sin(np.pi * t)
    return start + t * along + (arc + ripple) * across


def _reduced(canvas: Image.Image, blur: float) -> Array:
    small = canvas.reduce(_SUPERSAMPLING)
    if blur:
        small = small.filter(ImageFilter.GaussianBlur(blur))
    return np.asarray(small, dtype=np.float32) / 255
