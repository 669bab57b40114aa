"""What quantization changes on average is put right, and constant channels survive it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, fx, nn

from distill.models import Classifier
from export import conversions
from export.conversions import Conversions
from export.deployable import Deployable
from export.formats import select_formats
from export.quantization.bias_correction import (
    Rounding,
    correct_biases,
    exact,
    exact_activation,
    half,
    half_activation,
    half_activation_,
    integer,
    integer_activation,
    small_kept,
)
from export.quantization.settings import DEFAULT
from export.quantization.silent_channels import lift_silent_channels
from runtimes.contract import Contract


def _coarse(weight: torch.Tensor) -> torch.Tensor:
    """Keeps some three bits of the weights, and more of the positive ones."""
    scale = weight.abs().amax() / 6
    return torch.ceil(weight / scale) * scale


def _with_weights(deployable: Deployable, rounding: Rounding) -> Deployable:
    trunk = fx.symbolic_trace(deployable.trunk)
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = rounding.weight(module.weight)
    return deployable.with_trunk(trunk)


def test_corrected_biases_bring_the_mean_of_the_outputs_back(
    classifier: Classifier, images: np.ndarray
) -> None:
    rounding = Rounding(_coarse, exact, exact_activation)
    deployable, pixels = Deployable(classifier, 1.0), torch.from_numpy(images).float()
    corrected = correct_biases(deployable, images, rounding)
    wanted = deployable(pixels).cam.mean(dim=(0, 1, 2))
    corrected_error = (
        _with_weights(corrected, rounding)(pixels).cam.mean(dim=(0, 1, 2)) - wanted
    ).abs()
    plain = Deployable(classifier, 1.0)
    plain_error = (_with_weights(plain, rounding)(pixels).cam.mean(dim=(0, 1, 2)) - wanted).abs()
    assert corrected_error.max() < 0.5 * plain_error.max()


def test_correction_leaves_weights_and_the_original_alone(
    classifier: Classifier, images: np.ndarray
) -> None:
    deployable = Deployable(classifier, 1.0)
    before = {key: value.clone() for key, value in deployable.state_dict().items()}
    rounding = Rounding(integer(), exact, integer_activation)
    corrected = correct_biases(deployable, images, rounding).state_dict()
    assert all(torch.equal(before[key], deployable.state_dict()[key]) for key in before)
    for key, value in before.items():
        assert torch.equal(value, corrected[key]) == (not key.endswith(".bias")), key


def test_exact_storage_needs_no_correction(classifier: Classifier, images: np.ndarray) -> None:
    deployable = Deployable(classifier, 1.0)
    same = correct_biases(deployable, images, Rounding(exact, exact, exact_activation))
    for key, value in deployable.state_dict().items():
        assert torch.allclose(value, same.state_dict()[key], atol=1e-5), key


def test_a_convolution_without_bias_gets_one(images: np.ndarray) -> None:
    torch.manual_seed(0)
    model = Classifier("bare", nn.Sequential(nn.Conv2d(3, 5, 3, bias=False)), 5, 4, 0.0).eval()
    deployable = Deployable(model.requires_grad_(False), 1.0)
    corrected = correct_biases(deployable, images, Rounding(_coarse, exact, exact_activation))
    added = set(corrected.state_dict()) - set(deployable.state_dict())
    assert added == {"trunk.0.bias"}


def test_int8_weights_have_127_steps_per_channel() -> None:
    weight = torch.tensor([[1.0, -2.54], [0.01, 0.0254]])[:, :, None, None]
    steps = integer()(weight).flatten(1) / torch.tensor([[0.02], [0.0002]])
    assert torch.allclose(steps, torch.tensor([[50.0, -127.0], [50.0, 127.0]]), atol=1e-3)
    assert torch.equal(small_kept(integer(), 5)(weight), half(weight))
    assert torch.equal(small_kept(integer(), 4)(weight), integer()(weight))


def test_int8_activations_keep_zero_exact() -> None:
    values = torch.linspace(-1, 3, 1000)
    rounded = integer_activation(values, torch.cat([values, torch.tensor([0.0, 9.0])]))
    assert rounded[-2] == 0
    assert (rounded[:-2] - values).abs().max() <= 4 / 255 / 2 + 1e-6
    assert rounded[-1] == pytest.approx(3, abs=0.02)
    assert half_activation(values, values).dtype == torch.float32


def test_channels_without_weights_are_lifted_and_answer_as_before(
    classifier: Classifier, images: np.ndarray
) -> None:
    deployable = Deployable(classifier, 1.0)
    stem = next(m for m in deployable.trunk.modules() if isinstance(m, nn.Conv2d))
    stem.weight[2] = 0
    stem.bias[2] = 1.5
    stem.weight[4] = 0
    stem.bias[4] = 0
    lifted = lift_silent_channels(deployable)
    changed = next(m for m in lifted.trunk.modules() if isinstance(m, nn.Conv2d))
    assert (changed.weight.flatten(1).abs().amax(1) > 0).all()
    assert stem.weight[2].abs().max() == 0
    pixels = torch.from_numpy(images).float()
    assert torch.allclose(lifted(pixels).cam, deployable(pixels).cam, atol=0.02)
    int32 = changed.bias[2].abs() / (changed.weight[2].abs().max() / 127)
    assert int32 < 2**31


def test_rounding_in_place_changes_no_number_of_the_network(
    classifier: Classifier, images: np.ndarray
) -> None:
    deployable = Deployable(classifier, 1.0)

    class Shifted(nn.Module):
        """Adds a parameter of its own, by a view of it."""

        def __init__(self) -> None:
            super().__init__()
            self.shift = nn.Parameter(torch.full((3,), 0.1), requires_grad=False)
            self.trunk = deployable.trunk

        def forward(self, pixels: Tensor) -> Tensor:
            return self.trunk(pixels + self.shift.view(1, 3, 1, 1))

    shifted = deployable.with_trunk(Shifted())
    found = [
        correct_biases(shifted, images[:4], Rounding(half, half, how)).state_dict()
        for how in (half_activation_, half_activation)
    ]
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    assert torch.equal(found[0]["trunk.shift"], torch.full((3,), 0.1))


@pytest.mark.parametrize("step", ["equalize", "level_streams"])
def test_another_way_to_int8_makes_the_network_anew(
    step: str,
    classifier: Classifier,
    contract: Contract,
    images: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[str] = []

    def keep(name: str, module: Deployable, images: np.ndarray) -> Deployable:
        called.append(name)
        return module

    for name in ("equalize", "level_streams"):
        monkeypatch.setattr(conversions, name, partial(keep, name))
    made = Conversions(classifier, contract, images[:8])
    assert made.rescaled is made.rescaled
    assert called == ["equalize", "level_streams"]
    other = made.with_quantization(replace(DEFAULT, **{step: False}))
    assert other.rescaled is other.rescaled
    assert called[2:] == [name for name in called[:2] if name != step]
    # Weights alone are rounded from the network as it is.
    called.clear()
    other.half_check(select_formats(["coreml:int8-weights"])[0])
    assert called == []
