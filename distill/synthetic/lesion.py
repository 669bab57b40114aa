"""Eight classes of synthetic lesions, each with signs that dermatoscopy names; signs may be absent.

The signs come with a probability, colours and shapes overlap between classes, and a share of each
class imitates a neighbour, so that a network can learn the classes but not all of the images.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from distill.synthetic.canvas import WHITE, Canvas, Lesion
from distill.synthetic.texture import Array, curve, mesh, noise, smoothstep, strokes

TAN = (0.78, 0.60, 0.44)
LIGHT_BROWN = (0.66, 0.45, 0.31)
BROWN = (0.49, 0.31, 0.20)
DARK_BROWN = (0.29, 0.18, 0.13)
BLACK = (0.13, 0.10, 0.10)
BLUE_GREY = (0.45, 0.49, 0.57)
STEEL = (0.30, 0.33, 0.43)
PINK = (0.89, 0.62, 0.59)
RED = (0.77, 0.31, 0.29)
DARK_RED = (0.47, 0.13, 0.16)
PURPLE = (0.42, 0.19, 0.32)
KERATIN = (0.93, 0.84, 0.63)
CRUST = (0.58, 0.33, 0.18)


def draw_lesion(diagnosis: str, rng: np.random.Generator, size: int) -> Lesion:
    """Draws one lesion of an ISIC 2019 class on a transparent canvas of size × size pixels."""
    return _CLASSES[diagnosis](rng, size)


def _nevus(rng: np.random.Generator, size: int) -> Lesion:
    atypical = rng.random() < 0.15
    c = Canvas(rng, size, 0.13 if atypical else 0.05, rng.uniform(0.15, 0.45))
    c.base((LIGHT_BROWN, BROWN, TAN)[rng.choice(3, p=[0.5, 0.35, 0.15])])
    c.mottle(0.05)
    if c.chance(0.6):
        c.paint(BROWN, 0.6 * smoothstep(0.9, 0.2, c.rho))
    if atypical:
        c.paint(DARK_BROWN, 0.7 * c.patch(0.7))
    if c.chance(0.65):
        c.network(DARK_BROWN, rng.uniform(0.3, 0.65), rng.uniform(0.075, 0.12), 0.6)
    elif c.chance(0.7):
        c.paint(DARK_BROWN, 0.6 * c.dots((25, 60), (0.02, 0.035), 0, 0.95, 0.7))
    c.opacity *= rng.uniform(0.75, 0.97)
    return c.finish()


def _melanoma(rng: np.random.Generator, size: int) -> Lesion:
    early = rng.random() < 0.15
    c = Canvas(rng, size, 0.10 if early else rng.uniform(0.14, 0.24), rng.uniform(0.10, 0.3), 0.5)
    c.base(BROWN if c.chance(0.7) else LIGHT_BROWN)
    c.mottle(0.08)
    c.paint(DARK_BROWN, 0.85 * c.patch(0.1))
    if not early:
        c.paint(BLACK, 0.85 * c.patch(rng.uniform(0.5, 1.0)))
        if c.chance(0.4):
            c.paint(RED, 0.5 * c.patch(0.8))
    if c.chance(0.65):
        c.network(BLACK, rng.uniform(0.35, 0.7), rng.uniform(0.10, 0.17), 0.95)
    if c.chance(0.3 if early else 0.65):
        c.paint(BLUE_GREY, 0.75 * c.blob(0.3, rng.uniform(0.22, 0.4)) * c.inside)
    if c.chance(0.3):
        c.paint(WHITE, 0.6 * c.blob(0.35, rng.uniform(0.15, 0.28)) * c.inside)
    if c.chance(0.6):
        c.paint(BLACK, 0.85 * c.dots((8, 26), (0.012, 0.035), 0.55, 1.02))
    if c.chance(0.4):
        streaks = _streaks(c)
        c.paint(DARK_BROWN, 0.9 * streaks)
        c.cover(0.85 * streaks)
    c.opacity *= rng.uniform(0.88, 1.0)
    return c.finish()


def _basal_cell_carcinoma(rng: np.random.Generator, size: int) -> Lesion:
    c = Canvas(rng, size, 0.10, rng.uniform(0.25, 0.5))
    c.base(PINK)
    c.mottle(0.04)
    c.opacity *= rng.uniform(0.5, 0.75)
    if c.chance(0.5):
        c.paint(WHITE, 0.45 * c.patch(0.5, 4))
    if c.chance(0.65):
        nests = c.dots((3, 9), (0.06, 0.15), 0.1, 0.85, 2.5) * c.inside
        nests = smoothstep(0.2, 0.9, nests + 0.2 * noise(rng, size, 8, 3) * (nests > 0.02))
        c.paint(STEEL, rng.uniform(0.5, 0.8) * nests)
        c.cover(0.85 * nests)
    if c.chance(0.8):
        vessels = strokes(size, _branches(c), 0.4) * smoothstep(1.25, 0.9, c.rho)
        c.paint(RED, 0.9 * vessels)
        c.cover(0.85 * vessels)
    if c.chance(0.25):
        ulcer = c.blob(0.2, rng.uniform(0.12, 0.25)) * c.inside
        c.paint(CRUST, 0.85 * ulcer)
        c.cover(0.9 * ulcer)
    return c.finish()


def _actinic_keratosis(rng: np.random.Generator, size: int) -> Lesion:
    c = Canvas(rng, size, 0.10, rng.uniform(0.5, 0.8))
    c.base(TAN if c.chance(0.25) else PINK)
    c.paint(RED, rng.uniform(0.15, 0.45))
    c.mottle(0.05)
    c.opacity *= rng.uniform(0.55, 0.8)
    line, centre = mesh(rng, size, rng.uniform(0.13, 0.19), 0.9, 0.2)
    if c.chance(0.8):
        c.paint(RED, 0.45 * np.exp(-((line / 0.45) ** 2)))
        wide = 0.16 + 0.05 * noise(rng, size, 6)
        follicles = smoothstep(0.12, -0.08, centre - wide) * c.inside
        c.paint(KERATIN, 0.7 * follicles * np.clip(0.55 + 0.4 * noise(rng, size, 4), 0, 1))
    if c.chance(0.7):
        c.scale_flakes(rng.uniform(0.3, 0.8))
    return c.finish()


def _benign_keratosis(rng: np.random.Generator, size: int) -> Lesion:
    c = Canvas(rng, size, rng.uniform(0.06, 0.14), rng.uniform(0.04, 0.12))
    dark = rng.random() < 0.2
    c.base(DARK_BROWN if dark else (TAN, LIGHT_BROWN, BROWN)[rng.choice(3, p=[0.4, 0.4, 0.2])])
    c.mottle(0.07, 9)
    if c.chance(0.5):
        ridges = np.sin(noise(rng, size, 6, 3) * rng.uniform(3, 4.5))
        c.paint(DARK_BROWN, rng.uniform(0.2, 0.4) * smoothstep(0.1, 0.95, ridges))
    if c.chance(0.7):
        c.paint(BLACK, 0.75 * c.dots((6, 18), (0.025, 0.05), 0, 0.9, 0.8))
    if c.chance(0.75):
        c.paint(KERATIN, 0.85 * c.dots((8, 24), (0.016, 0.034), 0, 0.9, 0.6))
    if c.chance(0.3):
        c.scale_flakes(rng.uniform(0.1, 0.4))
    c.opacity *= rng.uniform(0.85, 1.0)
    return c.finish()


def _dermatofibroma(rng: np.random.Generator, size: int) -> Lesion:
    c = Canvas(rng, size, 0.05, rng.uniform(0.4, 0.7), 0.2)
    c.base(LIGHT_BROWN if c.chance(0.65) else (0.80, 0.55, 0.47))
    c.mottle(0.04)
    c.opacity *= rng.uniform(0.6, 0.85)
    if c.chance(0.8):
        web = c.network(BROWN, rng.uniform(0.35, 0.6), rng.uniform(0.075, 0.11), 0.6)
        c.cover(0.7 * web * c.inside)
    if c.chance(0.88):
        scar = smoothstep(rng.uniform(0.5, 0.75), 0.15, c.rho + 0.08 * noise(rng, size, 5))
        c.paint(WHITE, 0.85 * scar)
        c.cover(0.75 * scar)
    return c.finish()


def _vascular(rng: np.random.Generator, size: int) -> Lesion:
    c = Canvas(rng, size, 0.08, rng.uniform(0.06, 0.2))
    c.base(RED if c.chance(0.7) else PURPLE)
    lacunae = np.zeros((size, size), dtype=np.float32)
    reach = rng.uniform(0.07, 0.15)
    for _ in range(3):  # three generations, the later ones dimmed where they overlap the earlier
        ball = c.dots((8, 22), (0.6 * reach, reach), 0, 0.92, 1.5)
        lacunae = np.maximum(ball, lacunae * (1 - 0.55 * ball * (1 - ball) * 4))
    lacunae = lacunae * c.inside * np.clip(0.9 + 0.15 * noise(rng, size, 6), 0, 1)
    tint = noise(rng, size, 3, 4)
    c.paint(PINK, rng.uniform(0.1, 0.5) * (1 - lacunae))
    c.paint(DARK_RED, rng.uniform(0.6, 0.9) * lacunae)
    c.paint(PURPLE, 0.7 * lacunae * smoothstep(0.0, 1.4, tint))
    if c.chance(0.3):
        c.paint(BLACK, 0.75 * c.patch(0.9, 4) * lacunae)
    if c.chance(0.25):
        c.paint(BLUE_GREY, 0.5 * c.blob(0.25, 0.3))
    c.opacity *= rng.uniform(0.85, 1.0)
    return c.finish()


def _squamous_cell_carcinoma(rng: np.random.Generator, size: int) -> Lesion:
    c = Canvas(rng, size, 0.13, rng.uniform(0.2, 0.45))
    c.base(PINK)
    c.paint(RED, rng.uniform(0.25, 0.6))
    c.mottle(0.06)
    c.opacity *= rng.uniform(0.65, 0.9)
    if c.chance(0.75):
        keratin = c.blob(0.12, rng.uniform(0.22, 0.38)) * c.inside
        c.paint(KERATIN, 0.9 * keratin * (0.8 + 0.12 * noise(rng, size, 14, 2)))
        c.cover(0.9 * keratin)
    if c.chance(0.5):
        c.paint(DARK_RED, 0.85 * c.dots((3, 10), (0.02, 0.05), 0, 0.7))
    if c.chance(0.75):
        loops = strokes(size, _hairpins(c), 0.4)
        c.paint(DARK_RED, 0.85 * loops)
        c.cover(0.85 * loops)
    if c.chance(0.55):
        c.scale_flakes(rng.uniform(0.3, 0.7))
    return c.finish()


def _streaks(c: Canvas) -> Array:
    """Radial streaks on a part of the border."""
    lines = []
    for px, py in c.places((8, 20), 0.85, 1.0):
        start = np.array([px, py])
        outward = start / (np.hypot(px, py) + 1e-6)
        end = start + outward * c.rng.uniform(0.06, 0.16)
        lines.append((curve(c.rng, start, end, 0.1, 0.02), c.rng.uniform(0.015, 0.035)))
    return strokes(c.size, lines, 0.6)


def _branches(c: Canvas) -> list[tuple[Array, float]]:
    """Arborising vessels: stems that enter from the border and fork into thinner ones."""
    lines = []
    for px, py in c.places((2, 5), 0.6, 1.05):
        heading = np.arctan2(-py, -px) + c.rng.normal(0, 0.5)
        tips = [(np.array([px, py]), heading, c.rng.uniform(0.022, 0.036))]
        for _ in range(4):
            grown = []
            for start, angle, width in tips:
                reach = c.rng.uniform(0.12, 0.26)
                end = start + reach * np.array([np.cos(angle), np.sin(angle)])
                lines.append((curve(c.rng, start, end, c.rng.normal(0, 0.12), 0.05), width))
                for turn in (c.rng.uniform(0.3, 0.8), -c.rng.uniform(0.3, 0.8)):
                    if c.rng.random() < 0.75:
                        grown.append((end, angle + turn, width * 0.68))
            tips = grown
    return lines


def _hairpins(c: Canvas) -> list[tuple[Array, float]]:
    """Short looped vessels that stand around the centre."""
    lines = []
    t = np.linspace(0, np.pi, 12)[:, None]
    for px, py in c.places((10, 24), 0.55, 1.0):
        outward = np.array([px, py]) / (np.hypot(px, py) + 1e-6)
        across = np.array([-outward[1], outward[0]])
        lean = c.rng.normal(0, 0.6) * across
        length, width = c.rng.uniform(0.03, 0.11), c.rng.uniform(0.008, 0.026)
        loop = np.array([px, py]) + np.sin(t) * length * (outward + lean)
        lines.append((loop + np.cos(t) * width * across, c.rng.uniform(0.010, 0.018)))
    return lines


_CLASSES: dict[str, Callable[[np.random.Generator, int], Lesion]] = {
    "MEL": _melanoma,
    "NV": _nevus,
    "BCC": _basal_cell_carcinoma,
    "AK": _actinic_keratosis,
    "BKL": _benign_keratosis,
    "DF": _dermatofibroma,
    "VASC": _vascular,
    "SCC": _squamous_cell_carcinoma,
}
