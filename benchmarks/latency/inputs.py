"""Inputs for any model, made from nothing but the shapes and types that it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

import numpy as np

from runtimes.errors import InputError


def make_input(
    name: str, shape: Sequence[object], kind: np.dtype, generator: np.random.Generator
) -> np.ndarray:
    """Returns seeded noise for one input.

    Times of convolutions do not depend on the values, as long as these are neither subnormal nor
    infinite. Bytes take their whole range, floats lie from 0 to 1, other whole numbers are 0, which
    is a valid index everywhere.

    Args:
        name: of the input, for the error.
        shape: as the model says it; an open first side is the batch, which becomes 1.
        kind: NumPy's type.
        generator: of the noise.

    Raises:
        InputError: a side other than the first is open, or the type holds no numbers.
    """
    batch = [1] if shape and not _is_side(shape[0]) else []
    sides = batch + [side for side in shape if _is_side(side)]
    if len(sides) < len(shape):
        raise InputError(
            f"its input '{name}' has the open shape {list(shape)}; only the batch may be open. "
            "Fix the shape in the file first."
        )
    if kind in (np.uint8, np.int8):
        about = np.iinfo(kind)
        return generator.integers(about.min, about.max + 1, sides, kind)
    if np.issubdtype(kind, np.floating):
        return generator.random(sides, np.float32).astype(kind)
    if np.issubdtype(kind, np.integer) or kind == np.bool_:
        return np.zeros(sides, kind)
    raise InputError(f"its input '{name}' holds {kind}, and only numbers can be made up.")


def _is_side(side: object) -> TypeGuard[int]:
    return isinstance(side, int) and side >= 0
