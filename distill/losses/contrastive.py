"""Self-supervised terms on four rotated views of each image (SSKD).

Views stand in groups of four, n = 4·B rows: an image unrotated, then by 90, 180 and 270 degrees.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from distill.losses.logits import distillation
from distill.losses.precision import full_precision, to_double

VIEWS = 4


def unrotated(views: Tensor) -> Tensor:
    """Returns the unrotated view of each image.

    Args:
        views: (4·B, ...).

    Returns:
        (B, ...).

    Raises:
        ValueError: the number of rows is no multiple of four.
    """
    return _grouped(views)[:, 0]


def rotated(views: Tensor) -> Tensor:
    """Returns the three rotated views of each image, image by image.

    Args:
        views: (4·B, ...).

    Returns:
        (3·B, ...).

    Raises:
        ValueError: the number of rows is no multiple of four.
    """
    return _grouped(views)[:, 1:].flatten(0, 1)


@full_precision
def similarity(proj: Tensor) -> Tensor:
    """Returns the cosine of each rotated view with each unrotated image.

    Args:
        proj: outputs of a projection head, (4·B, D).

    Returns:
        (3·B, B).

    Source: Xu et al. 2020 (SSKD), the similarity matrix.
    """
    # The floor of the norms is that of torch's cosine_similarity.
    return F.normalize(rotated(proj), eps=1e-8) @ F.normalize(unrotated(proj), eps=1e-8).T


@full_precision
def contrastive_teacher_loss(similarities: Tensor) -> Tensor:
    """Returns the cross-entropy of raw similarities, which trains the teacher's projection head.

    Args:
        similarities: `similarity` of the teacher's projections, (3·B, B).

    Source: SSKD, training of the teacher's self-supervision module; no temperature.
    """
    return F.cross_entropy(similarities, _own_image(similarities))


def row_ranks(scores: Tensor, target: Tensor) -> Tensor:
    """Returns how many columns each row scores above its right one; equal scores go by position.

    Args:
        scores: (R, K).
        target: the right column of each row, (R,) int64.

    Returns:
        (R,) int64; 0 means the right column is ranked first.
    """
    right = scores.gather(1, target[:, None])
    before = torch.arange(scores.shape[1], device=scores.device) < target[:, None]
    return ((scores > right) | ((scores == right) & before)).sum(dim=1)


def ranked_rows(scores: Tensor, target: Tensor, keep: float) -> Tensor:
    """Returns which rows to learn from: the right ones and the best-ranked share of the wrong.

    The rows come as a mask, so that nothing waits for the device and shapes stay fixed. Equal
    ranks go by row order; the number of wrong rows kept is rounded down.

    Args:
        scores: the teacher's scores, (R, K).
        target: the right column of each row, (R,) int64.
        keep: the share of wrong rows kept, 0 to 1.

    Returns:
        (R,) bool.

    Raises:
        ValueError: `keep` is no share.

    Source: SSKD, selective transfer.
    """
    if not 0.0 <= keep <= 1.0:
        raise ValueError(f"the share of wrong rows kept lies between 0 and 1, got {keep}.")
    ranks = row_ranks(scores, target)
    order = torch.argsort(ranks, stable=True)
    places = torch.empty_like(order).scatter_(
        0, order, torch.arange(len(order), device=order.device)
    )
    wrong = (ranks > 0).sum()
    kept = len(ranks) - wrong + (to_double(wrong) * keep).floor().long()
    return places < kept


@full_precision
def rotated_distillation(
    logits_s: Tensor,
    logits_t: Tensor,
    target: Tensor,
    temperature: float = 4.0,
    keep: float = 1.0,
) -> Tensor:
    """Returns T²·KL(p_t(T) ‖ p_s(T)) over the rotated views that the ranking keeps ("tf").

    Args:
        logits_s: z_s of all views, (4·B, K).
        logits_t: z_t of all views, (4·B, K); a constant.
        target: class numbers of the images, (B,) int64.
        temperature: T.
        keep: the share of the teacher's wrong predictions kept, 0 to 1.

    Source: SSKD, transfer of predictions on transformed images.
    """
    wide_s, wide_t = rotated(logits_s), rotated(logits_t.detach())
    if keep >= 1.0:
        return distillation(wide_s, wide_t, temperature)
    rows = ranked_rows(wide_t, target.repeat_interleave(VIEWS - 1), keep)
    return _distillation_of_rows(wide_s, wide_t, rows, temperature)


@full_precision
def contrastive_distillation(
    similarity_s: Tensor, similarity_t: Tensor, temperature: float = 0.5, keep: float = 0.75
) -> Tensor:
    """Returns T²·KL between the softened similarities of teacher and student over the rows kept.

    Args:
        similarity_s: `similarity` of the student's projections, (3·B, B).
        similarity_t: `similarity` of the teacher's projections, (3·B, B); a constant.
        temperature: T of the similarities, which is not that of the logits.
        keep: the share of rows kept of those where the teacher ranks a wrong image first, 0 to 1.

    Source: SSKD, transfer of self-supervised contrastive knowledge ("ss").
    """
    similarity_t = similarity_t.detach()
    rows = ranked_rows(similarity_t, _own_image(similarity_t), keep)
    return _distillation_of_rows(similarity_s, similarity_t, rows, temperature)


def _grouped(views: Tensor) -> Tensor:
    if len(views) == 0 or len(views) % VIEWS:
        raise ValueError(
            f"views come in groups of {VIEWS} (0, 90, 180, 270 degrees of one image), "
            f"got {len(views)} rows."
        )
    return views.unflatten(0, (-1, VIEWS))


def _own_image(similarities: Tensor) -> Tensor:
    images = similarities.shape[1]
    return torch.arange(images, device=similarities.device).repeat_interleave(VIEWS - 1)


def _distillation_of_rows(
    scores_s: Tensor, scores_t: Tensor, rows: Tensor, temperature: float
) -> Tensor:
    log_s = F.log_softmax(scores_s / temperature, dim=1)
    log_t = F.log_softmax(scores_t / temperature, dim=1)
    each = F.kl_div(log_s, log_t, reduction="none", log_target=True).sum(dim=1)
    kept = rows.to(each.dtype)
    return (each * kept).sum() / kept.sum().clamp(min=1.0) * temperature**2
