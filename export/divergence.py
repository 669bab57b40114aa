"""How far one set of probabilities is from another."""

from __future__ import annotations

import numpy as np

_SMALLEST = 1e-12


def divergences(reference: np.ndarray, found: np.ndarray) -> np.ndarray:
    """KL(reference ‖ found) of each image's probabilities, in nats; 1e-12 is the least of them.

    Args:
        reference: probabilities (N, K).
        found: the same.

    Returns:
        (N,).
    """
    first, second = np.maximum(reference, _SMALLEST), np.maximum(found, _SMALLEST)
    return np.asarray((reference * (np.log(first) - np.log(second))).sum(axis=1))


def mean_divergence(reference: np.ndarray, found: np.ndarray) -> float:
    """Mean of `divergences`, in nats."""
    return float(divergences(reference, found).mean())
