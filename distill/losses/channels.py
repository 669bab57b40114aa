"""Relational term between the channels of one map: Gram matrices and CRKD."""

from __future__ import annotations

import torch
from torch import Tensor

from distill.losses.precision import full_precision, to_double


@full_precision
def gram_matrix(feat: Tensor) -> Tensor:
    """Returns G = F Fᵀ / (C·H·W), how strongly each two channels of a map fire together.

    Args:
        feat: F, the last maps, (n, C, H, W).

    Returns:
        (n, C, C).

    Source: SSD-KD, channel-wise relational knowledge (CRKD).
    """
    flat = feat.flatten(2)
    return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])


@full_precision
def crkd_mean_square(feat_s: Tensor, feat_t: Tensor) -> Tensor:
    """Returns mean((G_t − G_s)²) over the batch; processes average it before they take the root.

    No C×C matrix is built: ‖F_t F_tᵀ − F_s F_sᵀ‖² = ‖F_tᵀ F_t‖² + ‖F_sᵀ F_s‖² − 2‖F_tᵀ F_s‖²,
    and on the right stand HW×HW matrices (49×49 instead of 2048×2048 for ResNet-50 at 224 px).
    The three parts nearly cancel when the student is close, hence the float64 sums; on devices
    without float64 the result carries the rounding of ‖G_t‖² in float32.

    Args:
        feat_s: F_s, the student's maps after the adapter, (n, C, H_s, W_s).
        feat_t: F_t, the teacher's maps, (n, C, H_t, W_t); a constant.

    Raises:
        ValueError: n or C differ.

    Source: SSD-KD, CRKD; the trace identity ‖A Bᵀ‖² = tr(AᵀA BᵀB).
    """
    if feat_s.dim() != 4 or feat_t.dim() != 4 or feat_s.shape[:2] != feat_t.shape[:2]:
        raise ValueError(
            f"CRKD needs maps (n, C, H, W) of the same n and C, got {tuple(feat_s.shape)} and "
            f"{tuple(feat_t.shape)}; bring the student to the teacher's channels by its adapter."
        )
    n, channels = feat_s.shape[:2]
    flat_s, flat_t = to_double(feat_s.flatten(2)), to_double(feat_t.detach().flatten(2))
    own_s = _scaled_product(flat_s, flat_s).square().sum()
    own_t = _scaled_product(flat_t, flat_t).square().sum()
    cross = _scaled_product(flat_t, flat_s).square().sum()
    mean = (own_t + own_s - 2 * cross) / (n * channels * channels)
    return mean.clamp(min=0.0).to(feat_s.dtype)


@full_precision
def root_of_mean_square(mean_square: Tensor) -> Tensor:
    """Returns the square root of a scalar, with gradient 0 instead of infinity at 0.

    Args:
        mean_square: what `crkd_mean_square` returned, averaged over the processes.
    """
    positive = mean_square > 0
    return torch.where(positive, mean_square, torch.ones_like(mean_square)).sqrt() * positive


def crkd(feat_s: Tensor, feat_t: Tensor) -> Tensor:
    """Returns CRKD = sqrt(mean((G_t − G_s)²)), the mean over images and pairs of channels.

    Args:
        feat_s: F_s, the student's maps after the adapter, (n, C, H_s, W_s).
        feat_t: F_t, the teacher's maps, (n, C, H_t, W_t); a constant.

    Raises:
        ValueError: n or C differ.

    Source: SSD-KD, channel-wise relational knowledge; the article writes Frobenius norms.
    """
    return root_of_mean_square(crkd_mean_square(feat_s, feat_t))


def _scaled_product(flat: Tensor, other: Tensor) -> Tensor:
    """FᵀF' / (C·√(H·W·H'·W')): (n, C, P) and (n, C, P') to (n, P, P')."""
    scale = flat.shape[1] * (flat.shape[2] * other.shape[2]) ** 0.5
    return flat.transpose(1, 2) @ other / scale
