"""A lesion being painted: its outline, and the strokes and patches that signs are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distill.synthetic.texture import Array, grid, mesh, mix, noise, smoothstep, spots

WHITE = (0.94, 0.88, 0.85)


@dataclass(frozen=True)
class Lesion:
    """A lesion without skin: `colour` (S, S, 3), `opacity` and `mask` (S, S), all from 0 to 1."""

    colour: Array
    opacity: Array
    mask: Array


class Canvas:
    """The outline of one lesion and the layers painted inside it so far.

    `rho` (S, S) is the normalised radius, below 1 inside the lesion; `inside` falls from 1 to 0
    over the border; `colour` (S, S, 3) and `opacity` (S, S) are what was painted.
    """

    def __init__(
        self, rng: np.random.Generator, size: int, ragged: float, edge: float, stretch: float = 0.3
    ) -> None:
        """Draws an outline; `ragged` bends it, `edge` is the width over which it fades."""
        self.rng, self.size = rng, size
        self.x, self.y = grid(size)
        turn = rng.uniform(0, np.pi)
        u = self.x * np.cos(turn) + self.y * np.sin(turn)
        v = self.y * np.cos(turn) - self.x * np.sin(turn)
        aspect = 1 + rng.uniform(0, stretch)
        angle = np.arctan2(v, u)
        radius = np.sqrt((u / aspect**0.5) ** 2 + (v * aspect**0.5) ** 2) / rng.uniform(0.46, 0.62)
        wobble = sum(
            rng.normal(0, ragged / k**1.2) * np.cos(k * angle + rng.uniform(0, 6.3))
            for k in range(2, 7)
        )
        bumps = 0.5 * noise(rng, size, 7, 4) + 0.2 * noise(rng, size, 16, 3)
        grain = ragged * bumps + 0.025 * noise(rng, size, 5, 4)
        self.rho = radius / np.clip(1 + wobble, 0.6, 1.4) + grain
        self.inside = smoothstep(1 + edge / 2, 1 - edge / 2, self.rho)
        self.opacity = self.inside.copy()
        self.colour: Array = np.zeros((size, size, 3), dtype=np.float32)

    def chance(self, probability: float) -> bool:
        """Tells whether a sign of this probability is present."""
        return bool(self.rng.random() < probability)

    def base(self, colour: tuple[float, ...], spread: float = 0.05) -> None:
        """Fills the lesion with one colour, shifted a little for each lesion."""
        shift = self.rng.normal(0, spread) + self.rng.normal(0, spread / 3, 3)
        self.colour[:] = np.clip(np.asarray(colour) + shift, 0.05, 0.97)

    def paint(self, colour: tuple[float, ...], weight: Array | float) -> None:
        """Lays a colour over the lesion with a weight from 0 to 1."""
        self.colour = mix(self.colour, colour, weight).astype(np.float32)

    def cover(self, weight: Array) -> None:
        """Makes the lesion opaque where a layer is, for signs that lie on translucent ones."""
        self.opacity = np.maximum(self.opacity, np.clip(weight, 0, 1))

    def mottle(self, amount: float, cells: float = 5) -> None:
        """Makes the lesion unevenly light and dark, with `cells` bumps a side."""
        self.colour *= 1 + amount * noise(self.rng, self.size, cells, 4)[..., None]

    def patch(self, threshold: float, cells: float = 2.5) -> Array:
        """Returns an irregular region of the lesion; a higher threshold leaves less of it."""
        field = noise(self.rng, self.size, cells, 5)
        return smoothstep(threshold - 0.6, threshold + 0.6, field) * self.inside

    def blob(self, offset: float, radius: float) -> Array:
        """Returns a soft region whose centre lies off the lesion's by up to `offset`."""
        cx, cy = self.rng.normal(0, offset / 1.5, 2).clip(-offset, offset)
        distance = np.hypot(self.x - cx, self.y - cy) / radius
        distance = distance + 0.2 * noise(self.rng, self.size, 5, 4)
        return smoothstep(1.3, 0.4, distance)

    def network(
        self, colour: tuple[float, ...], strength: float, spacing: float, jitter: float
    ) -> Array:
        """Lays a pigment network over the lesion and returns it."""
        line, _ = mesh(self.rng, self.size, spacing, jitter, 0.25)
        width = self.rng.uniform(0.3, 0.45) * (1 + 0.25 * noise(self.rng, self.size, 8, 2))
        web = np.exp(-((line / np.clip(width, 0.15, None)) ** 2))
        fade = np.clip(0.6 + 0.3 * noise(self.rng, self.size, 4), 0.1, 1)
        web = web * fade * strength
        self.paint(colour, web)
        return web

    def places(self, count: tuple[int, int], low: float, high: float) -> Array:
        """Returns points (x, y) whose normalised radius lies between `low` and `high`.

        Their number is drawn from `count`, the upper end excluded.
        """
        number = int(self.rng.integers(*count))
        rows, columns = np.nonzero((self.rho > low) & (self.rho < high))
        if not len(rows):
            return np.zeros((0, 2))
        chosen = self.rng.integers(0, len(rows), number)
        return np.stack([self.x[0, columns[chosen]], self.y[rows[chosen], 0]], axis=1)

    def dots(
        self,
        count: tuple[int, int],
        radius: tuple[float, float],
        low: float,
        high: float,
        blur: float = 0.5,
    ) -> Array:
        """Returns a mask of scattered round spots."""
        discs = []
        for cx, cy in self.places(count, low, high):
            r = self.rng.uniform(*radius)
            discs.append((cx, cy, r * self.rng.uniform(0.8, 1.25), r))
        return spots(self.size, discs, blur)

    def scale_flakes(self, amount: float) -> None:
        """Lays white scale over the lesion."""
        fine = noise(self.rng, self.size, 22, 3) + 0.8 * noise(self.rng, self.size, 6, 3)
        flakes = smoothstep(1.3 - amount, 2.4 - amount, fine) * smoothstep(1.1, 0.7, self.rho)
        self.paint(WHITE, 0.8 * flakes)
        self.cover(0.75 * flakes)

    def finish(self) -> Lesion:
        """Adds fine grain and returns what was painted."""
        grain = 0.035 * noise(self.rng, self.size, 22, 3) + 0.03 * noise(self.rng, self.size, 9, 2)
        self.colour = self.colour * (1 + grain[..., None])
        mask = (self.rho < 1).astype(np.float32)
        return Lesion(np.clip(self.colour, 0, 1), np.clip(self.opacity, 0, 1), mask)
