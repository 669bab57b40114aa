"""The loss terms of SSD-KD: pure functions, one term each, float32 or float64 in, a scalar out."""

from distill.losses.channels import crkd, crkd_mean_square, gram_matrix, root_of_mean_square
from distill.losses.contrastive import (
    contrastive_distillation,
    contrastive_teacher_loss,
    ranked_rows,
    rotated,
    rotated_distillation,
    row_ranks,
    similarity,
    unrotated,
)
from distill.losses.logits import (
    adjusted_cross_entropy,
    blkd,
    class_weights,
    distillation,
    standardized_distillation,
    weighted_cross_entropy,
)
from distill.losses.relational import drkd, rkd_angle, rkd_distance
from distill.losses.total import SSD_KD_WEIGHTS, ssd_kd_total

__all__ = [
    "SSD_KD_WEIGHTS",
    "adjusted_cross_entropy",
    "blkd",
    "class_weights",
    "contrastive_distillation",
    "contrastive_teacher_loss",
    "crkd",
    "crkd_mean_square",
    "distillation",
    "drkd",
    "gram_matrix",
    "ranked_rows",
    "rkd_angle",
    "rkd_distance",
    "root_of_mean_square",
    "rotated",
    "rotated_distillation",
    "row_ranks",
    "similarity",
    "ssd_kd_total",
    "standardized_distillation",
    "unrotated",
    "weighted_cross_entropy",
]
