"""Noise by layer: named after torch's modules, none where nothing is rounded."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.models import Classifier
from export.deployable import Deployable
from export.quantization.bias_correction import (
    Rounding,
    exact,
    exact_activation,
    half,
    half_activation,
    integer,
    integer_activation,
)
from export.quantization.sensitivity import decibels, measure_sensitivity
from export.quantization.sensitivity_picture import draw_sensitivity

EXACT = Rounding(exact, exact, exact_activation)
INT8 = Rounding(integer(), exact, integer_activation)


@pytest.fixture(scope="module")
def deployable(classifier: Classifier) -> Deployable:
    return Deployable(classifier, 1.0)


def test_decibels_are_those_of_the_definition() -> None:
    signal = torch.tensor([[3.0, 4.0], [4.0, 3.0]])
    error = torch.tensor([[0.5, 0.0], [-0.5, 0.0]])
    assert decibels(signal, signal + error) == pytest.approx(20.0)
    assert decibels(signal, signal) == math.inf
    # A constant of a channel is what a bias corrects.
    assert decibels(signal, signal + error + torch.tensor([7.0, -2.0])) == pytest.approx(20.0)


def test_layers_are_named_after_the_modules_and_the_additions(
    deployable: Deployable, images: np.ndarray
) -> None:
    found = measure_sensitivity(deployable, images[:8], INT8)
    kinds = [layer.kind for layer in found.layers]
    assert kinds == ["Conv2d", "Conv2d", "Conv2d", "add", "Conv2d"]
    modules = dict(deployable.trunk.named_modules())
    for layer in found.layers:
        assert layer.kind == "add" or isinstance(modules[layer.name], torch.nn.Conv2d), layer
    assert found.images == 8


def test_nothing_is_lost_without_rounding(deployable: Deployable, images: np.ndarray) -> None:
    found = measure_sensitivity(deployable, images[:8], EXACT)
    assert found.logits == math.inf
    assert {layer.logits for layer in found.layers} == {math.inf}
    assert found.layers[0].to_json()["own"] is None


def test_half_precision_loses_less_than_int8(deployable: Deployable, images: np.ndarray) -> None:
    coarse = measure_sensitivity(deployable, images[:8], INT8)
    fine = measure_sensitivity(deployable, images[:8], Rounding(half, half, half_activation))
    assert 15 < coarse.logits < fine.logits
    for one, other in zip(coarse.layers, fine.layers, strict=True):
        assert one.own < other.own, one.name


def test_noise_adds_up_along_the_network(deployable: Deployable, images: np.ndarray) -> None:
    found = measure_sensitivity(deployable, images[:8], INT8)
    assert found.logits < sorted(layer.logits for layer in found.layers)[1]
    assert found.layers[0].together == pytest.approx(found.layers[0].own)
    assert found.layers[-1].together < found.layers[-1].own


@pytest.mark.parametrize("number", [0, 2, 3])
def test_the_layer_that_was_spoilt_is_found(
    number: int, deployable: Deployable, images: np.ndarray
) -> None:
    convolutions = {
        name: module
        for name, module in deployable.trunk.named_modules()
        if isinstance(module, torch.nn.Conv2d)
    }
    name, module = list(convolutions.items())[number]

    def weight(values: torch.Tensor) -> torch.Tensor:
        rounded = integer()(values)
        spoilt = torch.equal(values, module.weight)
        return rounded + 0.3 * rounded.roll(1, dims=-1) if spoilt else rounded

    found = measure_sensitivity(deployable, images[:8], replace(INT8, weight=weight))
    assert min(found.layers, key=lambda layer: layer.own).name == name
    assert min(found.layers, key=lambda layer: layer.logits).name == name


def test_activations_in_place_leave_the_exact_side_exact(images: np.ndarray) -> None:
    torch.manual_seed(0)
    trunk = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3), torch.nn.SiLU(inplace=True), torch.nn.Conv2d(6, 6, 3)
    )
    classifier = Classifier("silu", trunk, 6, 4, 0.0).eval()
    other = copy.deepcopy(classifier)
    other.trunk = _not_in_place(trunk)
    found = [
        measure_sensitivity(Deployable(each, 1.0), images[:8], INT8) for each in (classifier, other)
    ]
    assert found[0] == found[1]
    assert [layer.kind for layer in found[0].layers] == ["Conv2d", "SiLU", "Conv2d"]


def _not_in_place(trunk: torch.nn.Sequential) -> torch.nn.Sequential:
    other = copy.deepcopy(trunk)
    other[1] = torch.nn.SiLU(inplace=False)
    return other


def test_the_picture_shows_layers_without_noise_too(
    deployable: Deployable, images: np.ndarray, tmp_path: Path
) -> None:
    found = measure_sensitivity(deployable, images[:8], WEIGHTS_ONLY)
    assert any(math.isinf(layer.own) for layer in found.layers)
    draw_sensitivity(found, tmp_path / "noise.png")
    assert (tmp_path / "noise.png").read_bytes()[:4] == b"\x89PNG"


WEIGHTS_ONLY = replace(INT8, activation=exact_activation)


def test_a_constant_error_counts_where_no_bias_makes_it_good() -> None:
    exact = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    shifted = exact + torch.tensor([0.1, 0.0, -0.1])
    assert decibels(exact, shifted) > 100
    power = float(exact.pow(2).sum() / (8 * 0.02))
    assert decibels(exact, shifted, corrected=False) == pytest.approx(
        10 * np.log10(power), rel=1e-4
    )
