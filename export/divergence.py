"""How far one set of probabilities is from another."""

from __future__ import annotations

import numpy as np

_SMALLEST = 1e-12


def mean_divergence(reference: np.ndarray, found: np.ndarray) -> float:
    """Mean KL(reference ‖ found) of probabilities (N, K), in nats; 1e-12 is the least of them."""
    first, second = np.maximum(reference, _SMALLEST), np.maximum(found, _SMALLEST)
    return float((reference * (np.log(first) - np.log(second))).sum(axis=1).mean())
