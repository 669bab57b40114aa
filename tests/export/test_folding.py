"""What is folded into the convolutions changes no answer."""

from __future__ import annotations

import torch
from torch import fx, nn

from distill.models import Classifier
from distill.torchvision_compat import import_torchvision
from export.folding import (
    drop_stochastic_depth,
    fold_batch_norm,
    fold_input_scale,
    pad_pools_with_zeros,
)

PIXELS = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_batch_norm_after_a_convolution_becomes_part_of_it(classifier: Classifier) -> None:
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


def test_the_original_network_is_not_touched(classifier: Classifier) -> None:
    before = {key: value.clone() for key, value in classifier.trunk.state_dict().items()}
    fold_input_scale(fold_batch_norm(classifier.trunk), 127.5)
    after = classifier.trunk.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_the_scale_of_pixels_goes_into_the_first_convolution(classifier: Classifier) -> None:
    folded = fold_input_scale(fold_batch_norm(classifier.trunk), 127.5)
    assert torch.allclose(folded(PIXELS * 127.5), classifier.trunk(PIXELS), atol=1e-4)
    assert not any(node.op == "call_function" and "div" in str(node.target)
                   for node in folded.graph.nodes)  # fmt: skip


def test_a_trunk_that_begins_otherwise_gets_a_division() -> None:
    trunk = fold_batch_norm(nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1)).eval())
    assert torch.allclose(fold_input_scale(trunk, 4.0)(PIXELS * 4), trunk(PIXELS), atol=1e-6)


def test_pools_after_a_relu_pad_with_zeros_and_others_with_minus_infinity() -> None:
    pool = nn.MaxPool2d(3, 2, 1)
    after_relu = fold_batch_norm(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), pool).eval())
    before = after_relu(PIXELS)
    changed = pad_pools_with_zeros(after_relu)
    assert any(isinstance(module, nn.ZeroPad2d) for module in changed.modules())
    assert torch.equal(changed(PIXELS), before)
    plain = fold_batch_norm(nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(3, 2, 1)).eval())
    negative = -PIXELS.abs()
    assert torch.equal(pad_pools_with_zeros(plain)(negative), plain(negative))


def test_whole_blocks_are_dropped_in_training_only() -> None:
    for training in (False, True):
        block = import_torchvision().ops.StochasticDepth(0.5, "row").train(training)
        trunk = fx.symbolic_trace(nn.Sequential(nn.Conv2d(3, 4, 1), block, nn.ReLU()))
        calls = [node.op for node in drop_stochastic_depth(trunk).graph.nodes]
        assert ("call_function" in calls) == training
        assert calls.count("call_module") == 2
