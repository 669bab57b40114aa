"""Equalization changes no answer, fills the range of each channel, and lowers the int8 noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import fx, nn

from distill.models import Classifier
from export.deployable import Deployable
from export.quantization.equalization import equalize, find_pairs
from export.quantization.precisions import ROUNDINGS
from export.quantization.sensitivity import measure_sensitivity


@pytest.fixture(scope="module")
def uneven(classifier: Classifier) -> Deployable:
    """The tiny network with channels of very different range behind its stem and depthwise."""
    deployable = Deployable(classifier, 1.0)
    trunk = deployable.trunk
    with torch.no_grad():
        first, second = trunk.get_submodule("depthwise.0"), trunk.get_submodule("project.0")
        factors = torch.logspace(-3, 0, 8)
        first.weight.mul_(factors[:, None, None, None])
        first.bias.mul_(factors)
        second.weight.div_(factors[None, :, None, None])
    return deployable


def test_only_values_that_one_convolution_reads_are_scaled(classifier: Classifier) -> None:
    trunk = fx.symbolic_trace(Deployable(classifier, 1.0).trunk)
    pairs = find_pairs(trunk)
    # The stem's output is added further on, too; the projection has no ReLU.
    assert [(pair.first, pair.second, pair.clips) for pair in pairs] == [
        ("depthwise.0", "project.0", True)
    ]


def test_the_answers_stay(uneven: Deployable, images: np.ndarray) -> None:
    pixels = torch.from_numpy(images[32:]).float()  # others than those that were looked at
    found, wanted = equalize(uneven, images[:32])(pixels), uneven(pixels)
    for name in ("probabilities", "cam", "unknown"):
        assert torch.allclose(getattr(found, name), getattr(wanted, name), atol=1e-4), name


def test_channels_use_the_range_but_stay_clear_of_six(
    uneven: Deployable, images: np.ndarray
) -> None:
    def maxima(deployable: Deployable) -> torch.Tensor:
        trunk = deployable.trunk
        found: list[torch.Tensor] = []
        handle = trunk.get_submodule("depthwise.0").register_forward_hook(
            lambda module, inputs, output: found.append(output.clamp(0, 6).amax(dim=(0, 2, 3)))
        )
        deployable(torch.from_numpy(images).float())
        handle.remove()
        return found[0]

    before, after = maxima(uneven), maxima(equalize(uneven, images))
    assert before.min() < 0.1 * before.max()
    assert (after >= before * 0.999).all()
    assert after[before < 3].max() <= 3.001
    assert after[before > 3 / 32].min() > 2.99
    assert (after[before <= 3 / 32] <= 32.1 * before[before <= 3 / 32]).all()


def test_int8_noise_falls(uneven: Deployable, images: np.ndarray) -> None:
    rounding = ROUNDINGS["int8"]
    before = measure_sensitivity(uneven, images[:16], rounding)
    after = measure_sensitivity(equalize(uneven, images[:16]), images[:16], rounding)
    assert after.logits > before.logits + 10


def test_grouped_convolutions_are_scaled_by_the_inputs_they_read() -> None:
    torch.manual_seed(0)
    trunk = nn.Sequential(
        nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 12, 3, padding=1, groups=4), nn.ReLU()
    )
    with torch.no_grad():
        trunk[0].weight.mul_(torch.logspace(-2, 1, 8)[:, None, None, None])
    deployable = Deployable(Classifier("grouped", trunk, 12, 4, 0.0).eval(), 1.0)
    images = np.random.default_rng(0).integers(0, 256, (16, 16, 16, 3), dtype=np.uint8)
    pixels = torch.from_numpy(images).float()
    equalized = equalize(deployable, images)
    changed = equalized.trunk.get_submodule("2").weight - deployable.trunk.get_submodule("2").weight
    assert changed.abs().max() > 0
    assert torch.allclose(equalized(pixels).cam, deployable(pixels).cam, rtol=1e-3, atol=1e-4)


def test_a_channel_that_never_answers_is_left_alone(images: np.ndarray) -> None:
    trunk = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU6(), nn.Conv2d(4, 4, 1), nn.ReLU6())
    with torch.no_grad():
        trunk[0].weight[1] = 0
        trunk[0].bias[1] = -1
    deployable = Deployable(Classifier("silent", trunk, 4, 4, 0.0).eval(), 1.0)
    found = equalize(deployable, images[:8])
    for name, value in found.trunk.named_parameters():
        assert torch.isfinite(value).all(), name
    assert torch.equal(found.trunk.get_submodule("0").bias[1], torch.tensor(-1.0))
