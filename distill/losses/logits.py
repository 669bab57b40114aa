"""Loss terms on logits: weighted cross-entropy, distillation of softened logits, and BLKD."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from distill.losses.precision import full_precision
from runtimes.errors import InputError


def class_weights(counts: Sequence[int]) -> Tensor:
    """Returns the class weights w_c = N / n_c, rounded to three digits as the published code does.

    Args:
        counts: n_c, the number of training images of each class, K values.

    Returns:
        (K,) float32.

    Raises:
        InputError: a class has no training image, so its weight would be infinite.

    Source: SSD-KD, weighted cross-entropy (WCE).
    """
    counts = [int(count) for count in counts]
    if not counts or min(counts) < 1:
        empty = [position for position, count in enumerate(counts) if count < 1]
        raise InputError(
            f"class weights need at least one training image of each class, but the counts are "
            f"{counts} (none of class number {empty}). Add images of that class, or remove it."
        )
    total = sum(counts)
    return torch.tensor([round(total / count, 3) for count in counts], dtype=torch.float32)


@full_precision
def weighted_cross_entropy(logits: Tensor, target: Tensor, class_weight: Tensor | None) -> Tensor:
    """Returns WCE, the cross-entropy −Σ w_c y_c log p_s^c averaged by the weights it was given.

    Args:
        logits: z_s, (B, K).
        target: class numbers, (B,) int64.
        class_weight: w_c, (K,), or None for equal weights.

    Source: SSD-KD, weighted cross-entropy; the mean is Σ w·loss / Σ w, torch's own.
    """
    weight = None if class_weight is None else class_weight.to(logits)
    return F.cross_entropy(logits, target, weight=weight)


@full_precision
def distillation(logits_s: Tensor, logits_t: Tensor, temperature: float) -> Tensor:
    """Returns T²·KL(p_t(T) ‖ p_s(T)), the mean over the batch; the teacher is a constant.

    Args:
        logits_s: z_s, (B, K).
        logits_t: z_t, (B, K).
        temperature: T, which softens both: p(T) = softmax(z / T).

    Source: Hinton et al. 2015, section 2; the factor T² keeps the gradient's size.
    """
    log_s = F.log_softmax(logits_s / temperature, dim=1)
    log_t = F.log_softmax(logits_t.detach() / temperature, dim=1)
    return F.kl_div(log_s, log_t, reduction="batchmean", log_target=True) * temperature**2


@full_precision
def standardized_distillation(logits_s: Tensor, logits_t: Tensor, temperature: float) -> Tensor:
    """Returns T²·KL between the softened z-scores of the logits; the teacher is a constant.

    Each image's logits are centred and divided by their standard deviation over the classes
    first, so that the student is asked for the teacher's order and proportions and not for its
    scale.

    Args:
        logits_s: z_s, (B, K).
        logits_t: z_t, (B, K).
        temperature: T, the base temperature that softens both z-scores.

    Source: Sun et al., Logit Standardization in Knowledge Distillation, CVPR 2024, algorithm 1.
    """
    return distillation(_z_scores(logits_s), _z_scores(logits_t.detach()), temperature)


def _z_scores(logits: Tensor) -> Tensor:
    centred = logits - logits.mean(dim=1, keepdim=True)
    return centred / (logits.std(dim=1, keepdim=True) + 1e-7)


@full_precision
def adjusted_cross_entropy(
    logits: Tensor, target: Tensor, class_share: Tensor, adjustment: float
) -> Tensor:
    """Returns the cross-entropy of logits to which τ·log π has been added, the mean over the batch.

    Trained so, the plain logits rank the classes as if all were equally frequent: what balanced
    accuracy asks for, without weights that make single rare images loud.

    Args:
        logits: z_s, (B, K).
        target: class numbers, (B,) int64.
        class_share: π, the share of each class among the training images, (K,).
        adjustment: τ.

    Source: Menon et al., Long-tail learning via logit adjustment, ICLR 2021, equation 10.
    """
    return F.cross_entropy(logits + adjustment * class_share.to(logits).log(), target)


@full_precision
def blkd(
    logits_s: Tensor,
    logits_t: Tensor,
    target: Tensor,
    class_weight: Tensor | None,
    share: float = 0.5,
    temperature: float = 5.0,
) -> Tensor:
    """Returns BLKD = (1 − λ)·WCE + λ·T²·KL(p_t(T) ‖ p_s(T)).

    Args:
        logits_s: z_s, (B, K).
        logits_t: z_t, (B, K).
        target: class numbers, (B,) int64.
        class_weight: w_c, (K,), or None for equal weights.
        share: λ, the share of the distillation term.
        temperature: T.

    Source: SSD-KD, baseline logit distillation; λ 0.5 and T 5 when used alone.
    """
    hard = weighted_cross_entropy(logits_s, target, class_weight)
    soft = distillation(logits_s, logits_t, temperature)
    return (1.0 - share) * hard + share * soft
