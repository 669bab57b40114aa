"""A ten-line net for training tests; also run by torchrun, so it stands apart from conftest."""

from __future__ import annotations

import torch
from torch import nn

from distill.models import Classifier


def tiny_classifier(
    width: int = 8, classes: int = 8, seed: int = 0, dropout: float = 0.0
) -> Classifier:
    """Two convolutions with BatchNorm; (n, 3, S, S) to a last map (n, width, S/4, S/4)."""
    torch.manual_seed(seed)
    trunk = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU6(),
        nn.Conv2d(8, width, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU6(),
    )
    return Classifier("tiny", trunk, width, classes, dropout)
