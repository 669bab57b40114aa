"""Weights get whole steps that converters keep; depthwise kernels keep their sums with them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from distill.models import Classifier
from export.conversions import Conversions
from export.deployable import Deployable
from export.quantization.bias_correction import integer
from export.quantization.weight_steps import (
    STEPS,
    channel_scale,
    settle_weights,
    weight_steps,
)
from runtimes.contract import Contract

KERNELS = torch.randn(500, 1, 3, 3, generator=torch.Generator().manual_seed(0))


def test_the_sum_of_a_kernel_is_right_to_half_a_step() -> None:
    scale = channel_scale(KERNELS)
    exact, steps = KERNELS / scale, weight_steps(KERNELS, scale)
    assert torch.equal(steps, steps.round())
    assert steps.abs().max() == STEPS
    off = (steps - exact).sum(dim=(1, 2, 3)).abs()
    assert off.max() <= 0.5 + 1e-4
    nearest = (exact.round() - exact).sum(dim=(1, 2, 3)).abs()
    assert nearest.max() > 1.5  # which shows that there was something to mend


def test_no_weight_moves_by_a_whole_step() -> None:
    scale = channel_scale(KERNELS)
    assert (weight_steps(KERNELS, scale) - KERNELS / scale).abs().max() < 1.0


def test_the_largest_weight_keeps_the_scale() -> None:
    scale = channel_scale(KERNELS)
    settled = weight_steps(KERNELS, scale) * scale
    torch.testing.assert_close(channel_scale(settled), scale)


def test_rounding_once_more_changes_nothing(classifier: Classifier) -> None:
    settled = settle_weights(Deployable(classifier, 1.0)).trunk
    for name, module in settled.named_modules():
        if isinstance(module, nn.Conv2d):
            torch.testing.assert_close(integer()(module.weight), module.weight, msg=name)
            # Nor does it from float16, as Core ML rounds: at 127 steps the weight and its scale
            # lose an eighth of a step together, and half a step would move it.
            stored = module.weight.half().float()
            scale = channel_scale(stored).half().float()
            steps = (stored / scale).round()
            assert torch.equal(steps, (module.weight / channel_scale(module.weight)).round()), name


def test_only_depthwise_kernels_leave_the_nearest_step(classifier: Classifier) -> None:
    before = Deployable(classifier, 1.0)
    after = settle_weights(before)
    for name, module in before.trunk.named_modules():
        if isinstance(module, nn.Conv2d):
            scale = channel_scale(module.weight)
            nearest = (module.weight / scale).round() * scale
            same = torch.equal(after.trunk.get_submodule(name).weight, nearest)
            assert same == (name != "depthwise.0"), name


def test_fine_tuning_starts_between_steps(
    classifier: Classifier, contract: Contract, images: np.ndarray
) -> None:
    conversions = Conversions(classifier, contract, images)
    start, end = conversions.trainable_network().trunk, conversions.int8_network.trunk
    for name, module in start.named_modules():
        if isinstance(module, nn.Conv2d):
            steps = module.weight / channel_scale(module.weight)
            between = (steps - steps.round()).abs().mean()
            assert (between > 0.1) == (name != "depthwise.0"), name
            torch.testing.assert_close(module.bias, end.get_submodule(name).bias, msg=name)


def test_sums_are_kept_only_if_asked_for(classifier: Classifier) -> None:
    before = Deployable(classifier, 1.0)
    weight = before.trunk.get_submodule("depthwise.0").weight
    found = settle_weights(before, keep_sums=False).trunk.get_submodule("depthwise.0").weight
    assert torch.equal(found, (weight / channel_scale(weight)).round() * channel_scale(weight))


def test_what_a_format_leaves_in_float_is_not_rounded() -> None:
    trunk = nn.Sequential(
        nn.Conv2d(3, 8, 3, groups=1), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 5, groups=8)
    )
    model = Classifier("small", trunk, 8, 4, 0.0).eval().requires_grad_(False)
    deployable = Deployable(model, 1.0)
    settled = settle_weights(deployable, 100)
    kept = [
        torch.equal(a.weight, b.weight)
        for a, b in zip(deployable.trunk.children(), settled.trunk.children(), strict=True)
    ]
    assert kept == [False, True, False]  # 216, 72 and 200 numbers
