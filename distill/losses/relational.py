"""Relational terms between the images of a batch: RKD distance, RKD angle, and DRKD."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from distill.losses.precision import full_precision, to_double

DISTANCE_WEIGHT = 25.0
ANGLE_WEIGHT = 50.0


@full_precision
def rkd_distance(pool_s: Tensor, pool_t: Tensor) -> Tensor:
    """Returns the Huber loss (δ 1) between the pairwise distances, each divided by its mean.

    Args:
        pool_s: f_s, the student's pooled features, (n, D_s).
        pool_t: f_t, the teacher's pooled features, (n, D_t); a constant.

    Raises:
        ValueError: fewer than two rows, or different numbers of rows.

    Source: Park et al. 2019, distance-wise loss; the mean is over the non-zero distances.
    """
    _check_rows(pool_s, pool_t, 2)
    distances_s = _relative_distances(_gram_of_rows(pool_s))
    distances_t = _relative_distances(_gram_of_rows(pool_t.detach()))
    return F.smooth_l1_loss(distances_s, distances_t).to(pool_s.dtype)


@full_precision
def rkd_angle(pool_s: Tensor, pool_t: Tensor) -> Tensor:
    """Returns the Huber loss (δ 1) between the cosines of all triplets (f_i − f_j, f_k − f_j).

    The cosines come from the n×n Gram matrix of the rows, (f_i − f_j)·(f_k − f_j) =
    G_ik − G_ij − G_jk + G_jj, so the (n, n, D) tensor of differences is never built. Where two
    rows coincide the cosine is 0 and passes no gradient.

    Args:
        pool_s: f_s, the student's pooled features, (n, D_s).
        pool_t: f_t, the teacher's pooled features, (n, D_t); a constant.

    Raises:
        ValueError: fewer than two rows, or different numbers of rows.

    Source: Park et al. 2019, angle-wise loss.
    """
    _check_rows(pool_s, pool_t, 2)
    cosines_s = _triplet_cosines(_gram_of_rows(pool_s), pool_s.dtype)
    cosines_t = _triplet_cosines(_gram_of_rows(pool_t.detach()), pool_s.dtype)
    return F.smooth_l1_loss(cosines_s, cosines_t)


def drkd(pool_s: Tensor, pool_t: Tensor) -> Tensor:
    """Returns DRKD = 25·distance + 50·angle.

    Args:
        pool_s: f_s, the student's pooled features, (n, D_s).
        pool_t: f_t, the teacher's pooled features, (n, D_t); a constant.

    Source: SSD-KD, diverse relational knowledge between images (DRKD).
    """
    return DISTANCE_WEIGHT * rkd_distance(pool_s, pool_t) + ANGLE_WEIGHT * rkd_angle(pool_s, pool_t)


def _check_rows(pool_s: Tensor, pool_t: Tensor, least: int) -> None:
    if pool_s.dim() != 2 or pool_t.dim() != 2 or len(pool_s) != len(pool_t) or len(pool_s) < least:
        raise ValueError(
            f"relational terms need pooled features (n, D) of the same n ≥ {least} images, "
            f"got {tuple(pool_s.shape)} and {tuple(pool_t.shape)}."
        )


def _gram_of_rows(rows: Tensor) -> Tensor:
    """Inner products (n, n) of the centred rows; distances and angles do not see the centre."""
    rows = to_double(rows)
    # A small norm loses fewer digits below; the centre's own gradient is zero, hence detached.
    rows = rows - rows.detach().mean(dim=0)
    return rows @ rows.T


def _norms(gram: Tensor) -> Tensor:
    """The diagonal, (n,). Not gram.diagonal(), whose gradient torch.compile gets wrong on a CPU."""
    own = torch.eye(len(gram), dtype=torch.bool, device=gram.device)
    return torch.where(own, gram, 0.0).sum(dim=1)


def _squared_distances(gram: Tensor) -> Tensor:
    norms = _norms(gram)
    return norms[:, None] + norms[None, :] - 2 * gram


def _relative_distances(gram: Tensor) -> Tensor:
    n = len(gram)
    # The floor, Park's own, keeps the root's gradient finite where two rows coincide.
    distances = _squared_distances(gram).clamp(min=1e-12).sqrt()
    distances = distances * (1 - torch.eye(n, dtype=gram.dtype, device=gram.device))
    return distances / (distances.sum() / (n * (n - 1)))


def _triplet_cosines(gram: Tensor, dtype: torch.dtype) -> Tensor:
    """Cosines (j, i, k) at the corner j; 0 where row i or k coincides with row j.

    The differences, where digits cancel, are taken in the precision of `gram`; what follows, the
    larger part of the time, in `dtype`. In float32 that leaves the cosines six digits.
    """
    norms = _norms(gram)
    squared = _squared_distances(gram)
    # Below this the difference of two rows is rounding of the Gram matrix, not a direction.
    rounding = 64 * torch.finfo(gram.dtype).eps * (norms[:, None] + norms[None, :]).detach()
    apart = squared > rounding
    apart = apart & ~torch.eye(len(gram), dtype=torch.bool, device=gram.device)
    inverse = torch.where(apart, squared, torch.ones_like(squared)).rsqrt() * apart
    corner = gram - 0.5 * norms[:, None]
    products = gram[None, :, :] - corner[:, :, None] - corner[:, None, :]
    products, inverse = products.to(dtype), inverse.to(dtype)
    return products * inverse[:, :, None] * inverse[:, None, :]
