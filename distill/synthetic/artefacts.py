"""What lies on skin and tells no diagnosis: hair, a ruler, gel bubbles, ink of a pen.

Each takes and returns an RGB image (S, S, 3) from 0 to 1.
"""

from __future__ import annotations

import numpy as np

from distill.synthetic.texture import Array, curve, mix, spots, strokes


def hairs(image: Array, rng: np.random.Generator) -> Array:
    """Three to fifteen hairs, dark or fair, with their shadows."""
    size = len(image)
    lines = []
    lean = rng.uniform(0, np.pi)
    for _ in range(rng.integers(3, 16)):
        angle = lean + rng.normal(0, 0.45)
        middle, reach = rng.uniform(-1, 1, 2), rng.uniform(0.4, 1.5)
        half = reach / 2 * np.array([np.cos(angle), np.sin(angle)])
        path = curve(rng, middle - half, middle + half, rng.normal(0, 0.12), 0.015)
        lines.append((path, rng.uniform(0.007, 0.020)))
    hair = strokes(size, lines)
    shade = (0.16, 0.11, 0.09) if rng.random() < 0.8 else (0.66, 0.52, 0.38)
    shadow = strokes(size, [(path + 0.012, width * 1.5) for path, width in lines], 1.2)
    return mix(mix(image, (0.4, 0.25, 0.2), 0.25 * shadow), shade, 0.85 * hair)


def ruler(image: Array, rng: np.random.Generator) -> Array:
    """Millimetre ticks along one edge, every fifth longer."""
    size = len(image)
    step, along = rng.uniform(0.09, 0.16), rng.uniform(-0.95, -0.85)
    ticks = []
    for k in range(int(1.9 / step)):
        length = 0.15 if k % 5 == 0 else 0.08
        at = -0.95 + k * step
        ticks.append((np.array([[at, along], [at, along + length]]), 0.014))
    ticks.append((np.array([[-0.95, along], [0.95, along]]), 0.012))
    mark = np.rot90(strokes(size, ticks), int(rng.integers(4)))
    return mix(image, (0.12, 0.12, 0.14), 0.8 * mark)


def gel_bubbles(image: Array, rng: np.random.Generator) -> Array:
    """Two to eleven bubbles of immersion gel, each with a dark rim and a glint."""
    size = len(image)
    for _ in range(rng.integers(2, 12)):
        cx, cy = rng.uniform(-1, 1, 2)
        radius = rng.uniform(0.025, 0.13)
        outer = spots(size, [(cx, cy, radius, radius)], 0.4)
        inner = spots(size, [(cx, cy, radius * 0.84, radius * 0.84)], 0.6)
        glint = (cx - radius * 0.35, cy - radius * 0.4, radius * 0.2, radius * 0.14)
        image = mix(image, (0.45, 0.33, 0.29), 0.35 * (outer - inner))
        image = mix(image, (0.98, 0.92, 0.89), 0.12 * inner)
        image = mix(image, (1.0, 1.0, 1.0), 0.85 * spots(size, [glint], 0.5))
    return image


def ink(image: Array, rng: np.random.Generator) -> Array:
    """One to three strokes of a surgical pen, violet or blue, as they mark a lesion's border."""
    size, lines = len(image), []
    for _ in range(rng.integers(1, 4)):
        angle, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0.65, 0.9)
        middle = radius * np.array([np.cos(angle), np.sin(angle)])
        half = rng.uniform(0.2, 0.5) * np.array([-np.sin(angle), np.cos(angle)])
        path = curve(rng, middle - half, middle + half, rng.normal(0, 0.08), 0.01)
        lines.append((path, rng.uniform(0.02, 0.05)))
    shade = (0.30, 0.18, 0.55) if rng.random() < 0.6 else (0.15, 0.25, 0.60)
    return mix(image, shade, 0.75 * strokes(size, lines))


ARTEFACTS = {"hair": hairs, "ruler": ruler, "gel bubbles": gel_bubbles, "ink": ink}
