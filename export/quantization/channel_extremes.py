"""Smallest and largest value of each channel on calibration images."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, fx

from export.deployable import Deployable


@dataclass(frozen=True)
class Extremes:
    """Smallest and largest value of each channel, (C,)."""

    low: Tensor
    high: Tensor

    def joined(self, other: Extremes | None) -> Extremes:
        """Returns those of both."""
        if other is None:
            return self
        return Extremes(torch.minimum(self.low, other.low), torch.maximum(self.high, other.high))


def channel_extremes(
    deployable: Deployable,
    trunk: fx.GraphModule,
    names: Collection[str],
    images: np.ndarray,
    *,
    batch: int,
) -> dict[str, Extremes]:
    """Returns the extremes of the named values over all images.

    Args:
        deployable: whose trunk was traced; says how it reads pixels.
        trunk: the traced trunk; nothing is computed for gradients.
        names: of nodes with maps (N, C, h, w).
        images: uint8 (M, S, S, 3).
        batch: images at once; the last digits of a sum depend on it.
    """
    found: dict[str, Extremes] = {}

    class Looking(fx.Interpreter):
        """Runs the trunk and looks at the named values before anything writes over them."""

        def run_node(self, n: fx.Node) -> object:
            value = super().run_node(n)
            if n.name in names:
                seen = Extremes(value.amin(dim=(0, 2, 3)), value.amax(dim=(0, 2, 3)))
                found[n.name] = seen.joined(found.get(n.name))
            return value

    with torch.no_grad():
        for start in range(0, len(images), batch):
            Looking(trunk).run(deployable.trunk_input(images[start : start + batch]))
    return found
