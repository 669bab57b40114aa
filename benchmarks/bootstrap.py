"""95 % intervals of any figure that images add up to, over resampled lesions."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from distill.metrics import Estimate, estimate, lesion_numbers, resampled_weights

REPLICATES = 500

# Takes how often each image counts, (R, N), and returns the figure of each weighting, (R,).
Figure = Callable[[np.ndarray], np.ndarray]


def with_interval(
    figure: Figure, groups: Sequence[Hashable], replicates: int = REPLICATES, seed: int = 0
) -> Estimate:
    """Returns a figure of N images with its interval.

    Args:
        figure: see `Figure`.
        groups: the lesion of each image, N values; "" or None is a lesion of its own.
        replicates: of the bootstrap.
        seed: of the bootstrap; equal seeds and groups give equal resamples, so differences pair.
    """
    drawn = [
        figure(weights) for weights in resampled_weights(lesion_numbers(groups), replicates, seed)
    ]
    return estimate(figure(np.ones((1, len(groups))))[0], np.concatenate(drawn))


def mean_of(values: np.ndarray) -> Figure:
    """Returns the mean of values (N,) as a figure; those that are NaN do not count."""
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)

    def figure(weights: np.ndarray) -> np.ndarray:
        count = weights @ known
        found = np.full(len(weights), np.nan)
        return np.divide(weights @ filled, count, out=found, where=count > 0)

    return figure


def share_of(hits: np.ndarray, among: np.ndarray) -> Figure:
    """Returns the share of `hits` within `among`, both bool (N,), as a figure."""
    return mean_of(np.where(among, hits.astype(float), np.nan))
