"""The weighted sum of terms that is SSD-KD."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from torch import Tensor

SSD_KD_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"wce": 0.1, "kd": 0.9, "tf": 2.7, "ss": 10.0, "drkd": 1.0, "crkd": 1000.0}
)


def ssd_kd_total(terms: Mapping[str, Tensor]) -> Tensor:
    """Returns 0.1·wce + 0.9·kd + 2.7·tf + 10·ss + 1·drkd + 1000·crkd.

    Args:
        terms: one scalar for each key of `SSD_KD_WEIGHTS`.

    Raises:
        ValueError: a term is missing, or one is not of the sum.

    Source: SSD-KD, total loss; λ_drkd 1, λ_crkd 1000.
    """
    if set(terms) != set(SSD_KD_WEIGHTS):
        raise ValueError(
            f"SSD-KD is the sum of {sorted(SSD_KD_WEIGHTS)}, got the terms {sorted(terms)}."
        )
    first, *rest = [weight * terms[name] for name, weight in SSD_KD_WEIGHTS.items()]
    return sum(rest, start=first)
