"""What is infinite or not a number is named before any file is made of it."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.models import Classifier
from export.deployable import Deployable
from export.finite import all_finite, check_folded, check_weights, finite_activations
from export.quantization.bias_correction import correct_biases
from export.quantization.precisions import ROUNDINGS
from export.reference import reference_session
from runtimes.contract import Contract
from runtimes.errors import GateError, InputError


@pytest.fixture
def broken(classifier: Classifier) -> Classifier:
    """A copy that a test may break."""
    return copy.deepcopy(classifier)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_no_number_is_named_with_its_file(
    broken: Classifier, value: float
) -> None:
    check_weights(broken, Path("student.safetensors"))
    broken.trunk.depthwise[0].weight[3, 0, 1, :2] = value
    with pytest.raises(
        InputError, match=r"student\.safetensors .* trunk\.depthwise\.0\.weight \(2 values\)"
    ):
        check_weights(broken, Path("student.safetensors"))


def test_a_layer_whose_answers_overflow_is_named_and_nothing_stays_on_the_network(
    broken: Classifier, contract: Contract, images: np.ndarray
) -> None:
    broken.trunk.project[0].weight.fill_(1e38)
    session = reference_session(broken, contract)
    watched = finite_activations(broken, "calibration images")
    with pytest.raises(InputError, match=r"project\.0 \(Conv2d\) .* calibration images"), watched:
        session.predict(images)
    session.predict(images)
    assert not any(module._forward_hooks for module in broken.modules())


def test_a_variance_below_zero_is_found_by_what_it_does(
    broken: Classifier, contract: Contract, images: np.ndarray
) -> None:
    broken.trunk.stem[1].running_var[2] = -1
    with (
        pytest.raises(InputError, match=r"stem\.1 \(BatchNorm2d\)"),
        finite_activations(broken, "verification images"),
    ):
        reference_session(broken, contract).predict(images)


def test_weights_that_only_folding_makes_infinite_are_named(broken: Classifier) -> None:
    check_folded(Deployable(broken, 1.0))
    broken.trunk.project[0].weight.mul_(1e38)
    broken.trunk.project[1].running_var.fill_(1e-5)
    with pytest.raises(InputError, match=r"project\.0\."):
        check_folded(Deployable(broken, 1.0))


def test_what_float16_cannot_hold_is_named_in_one_line(
    broken: Classifier, images: np.ndarray
) -> None:
    broken.trunk.project[1].weight.mul_(1e6)
    deployable = Deployable(broken, 1.0)
    with pytest.raises(GateError, match=r"project\.0 meets .* 65504") as raised:
        correct_biases(deployable, images, ROUNDINGS["fp16"])
    assert "\n" not in str(raised.value)
    corrected = correct_biases(deployable, images, ROUNDINGS["int8"])
    assert all(torch.isfinite(value).all() for value in corrected.trunk.parameters())


def test_finite_values_whose_sum_is_not_are_finite() -> None:
    large = torch.full((4,), 3e38)
    assert not torch.isfinite(large.sum())
    assert all_finite(large)
    for value in (float("inf"), float("-inf"), float("nan")):
        assert not all_finite(torch.tensor([1.0, value, -value]))
