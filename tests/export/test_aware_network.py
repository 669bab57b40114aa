"""Fake quantization: steps that all formats hold, gradients for ranges, and only known networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, fx, nn

from distill.models import Classifier, build_classifier
from export.deployable import Deployable
from export.quantization.aware.network import (
    aware_trunk,
    measure,
    range_of,
    trained_parameters,
    trained_ranges,
    with_parameters,
)
from export.quantization.aware.sites import find_sites
from export.quantization.aware.steps import Range, eleven_digits, round_to_steps
from export.quantization.bias_correction import integer
from runtimes.errors import InputError


def _pixels(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() - 128


def test_eleven_digits_are_those_of_float16_and_hold_below_its_range() -> None:
    values = torch.rand(1000, generator=torch.Generator().manual_seed(0)) * 100 + 1e-3
    assert torch.equal(eleven_digits(values), values.half().float())
    tiny = values * 2.0**-40  # float16 would lose all digits
    assert torch.equal(eleven_digits(tiny), values.half().float() * 2.0**-40)


@pytest.mark.parametrize(("low", "high"), [(-1.3, 4.7), (0.4, 2.9), (-3.0, -1.0), (0.0, 0.0)])
def test_steps_cover_a_range_and_zero(low: float, high: float) -> None:
    span = range_of(low, high)
    assert span.low <= max(low, -1e-9) + span.scale
    assert span.high >= high - span.scale
    assert span.low <= 0 <= span.high
    assert 0 <= span.zero_point <= 255


def test_no_step_lies_above_six_behind_a_relu6() -> None:
    span = range_of(0.0, 6.0, largest=6.0)
    assert 6 - 2 * 2.0**-11 * 6 < span.high <= 6
    assert range_of(0.0, 9.0, largest=6.0) == span


def _reference(values: Tensor, scale: Tensor, zero_point: Tensor) -> Tensor:
    """The same by torch's own operations, rounding taken as a constant shift."""
    steps = torch.clamp(values / scale, -zero_point, 255 - zero_point)
    return (steps + (steps.round() - steps).detach()) * scale


def test_gradients_are_those_of_learned_step_sizes() -> None:
    drawn = torch.randn(4000, dtype=torch.float32, generator=torch.Generator().manual_seed(0)) * 3
    weight = torch.randn(4000, generator=torch.Generator().manual_seed(1))
    found = []
    for function in (round_to_steps, _reference):
        values = drawn.clone().requires_grad_()
        scale = torch.tensor(0.015625, requires_grad=True)
        zero_point = torch.tensor(100.0, requires_grad=True)
        rounded = function(values, scale, zero_point)
        (rounded * weight).sum().backward()
        found.append((rounded, values.grad, scale.grad, zero_point.grad))
    for ours, wanted in zip(*found, strict=True):
        assert torch.allclose(ours, wanted, rtol=1e-4, atol=1e-4)
    inside = (drawn >= -100 * 0.015625) & (drawn <= 155 * 0.015625)
    assert not bool(inside.all())
    assert torch.equal(found[0][1] != 0, inside)


def test_every_number_of_the_network_gets_a_gradient(
    classifier: Classifier, images: np.ndarray
) -> None:
    trunk = with_biases(Deployable(classifier, 1.0).trunk)
    aware = aware_trunk(trunk, measure(trunk, images[:8]))
    aware(_pixels(images[:8])).square().mean().backward()
    parameters = dict(aware.named_parameters())
    assert len([name for name in parameters if name.endswith(".low")]) == 2  # project, addition
    assert len([name for name in parameters if name.endswith(".high")]) == 5
    for name, value in parameters.items():
        assert value.grad is not None, name
        assert float(value.grad.abs().max()) > 0, name


def with_biases(trunk: nn.Module) -> nn.Module:
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d) and module.bias is None:
            module.bias = nn.Parameter(torch.zeros(module.out_channels), requires_grad=False)
    return trunk


def test_it_answers_as_the_rounded_numbers_that_it_hands_out(
    classifier: Classifier, images: np.ndarray
) -> None:
    trunk = Deployable(classifier, 1.0).trunk
    start = measure(trunk, images[:16])
    aware = aware_trunk(trunk, start)
    assert trained_ranges(aware, start.sites) == start
    parameters = trained_parameters(aware)
    plain = with_parameters(trunk, parameters)
    for name, module in plain.named_modules():
        if isinstance(module, nn.Conv2d):  # they lie on their steps already
            kept = integer(keep_sums=False)(module.weight)
            assert torch.equal(kept, module.weight), name
    value = plain.get_submodule("stem.0")(_pixels(images[:4])).clamp(0, 6)
    span = start.ranges["stem.0"]
    rounded = round_to_steps(value, torch.tensor(span.scale), torch.tensor(0.0))
    seen: list[Tensor] = []
    aware.get_submodule("depthwise.0").register_forward_pre_hook(
        lambda module, arguments: seen.append(arguments[0])
    )
    aware(_pixels(images[:4]))
    assert torch.allclose(seen[0], rounded, atol=1e-6)


def test_ranges_follow_their_parameters(classifier: Classifier, images: np.ndarray) -> None:
    trunk = Deployable(classifier, 1.0).trunk
    start = measure(trunk, images[:8])
    aware = aware_trunk(trunk, start)
    with torch.no_grad():
        for name, value in aware.named_parameters():
            if name.startswith("range_of_"):
                value.sub_(2.0)  # both edges 20 steps towards smaller values
    found = trained_ranges(aware, start.sites).ranges
    for name, span in start.ranges.items():
        assert found[name].high == pytest.approx(span.high - 20 * span.scale, abs=span.scale)
        low = span.low - 20 * span.scale if span.zero_point else 0
        assert found[name].low == pytest.approx(low, abs=span.scale)


def test_residual_networks_can_be_trained_and_others_are_named() -> None:
    sites = find_sites(fx.symbolic_trace(Deployable(build_classifier("resnet18", 8), 1.0).trunk))
    additions = [site for site in sites if site.first.startswith("add")]
    assert len(additions) == 8
    assert all(site.is_positive and site.largest is None for site in additions)
    with pytest.raises(InputError, match=r"SiLU.*without fine-tuning"):
        find_sites(fx.symbolic_trace(Deployable(build_classifier("efficientnet_b0", 8), 1.0).trunk))


def test_a_range_is_exact_in_float32() -> None:
    for zero_point in range(256):
        span = Range(float(eleven_digits(torch.tensor(0.02371))), zero_point)
        assert float(np.float32(span.low)) == span.low
        assert float(np.float32(span.high)) == span.high
        assert (np.float32(span.high) - np.float32(span.low)) / np.float32(255) == span.scale


def test_an_activation_that_is_always_zero_gets_steps_that_runtimes_take(
    classifier: Classifier, images: np.ndarray
) -> None:
    trunk = Deployable(classifier, 1.0).trunk
    dict(trunk.named_parameters())["depthwise.0.bias"].fill_(-100.0)
    assert measure(trunk, images).ranges["depthwise.0"] == range_of(0.0, 1.0)
