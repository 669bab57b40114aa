"""A BatchNorm that becomes part of a convolution changes no answer."""

from __future__ import annotations

import torch
from torch import nn

from distill.folding import fold_batch_norm
from tests.distill.tiny_nets import tiny_classifier

PIXELS = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_batch_norm_after_a_convolution_becomes_part_of_it() -> None:
    classifier = tiny_classifier(12, seed=3).eval()
    folded = fold_batch_norm(classifier.trunk)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert torch.allclose(folded(PIXELS), classifier.trunk(PIXELS), atol=1e-5)


def test_batch_norm_before_a_convolution_stays() -> None:
    trunk = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 1)).eval()
    folded = fold_batch_norm(trunk)
    assert any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert torch.allclose(folded(PIXELS), trunk(PIXELS))


def test_a_convolution_that_two_operations_read_is_left_alone() -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            found = self.convolution(pixels)
            return found + self.norm(found)

    fork = Fork().eval()
    fork.norm.running_mean.fill_(2.0)
    assert torch.allclose(fold_batch_norm(fork)(PIXELS), fork(PIXELS))
