"""Tensors that float16 cannot hold are named, with those that read them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from distill.models import Classifier
from export.conversions import Conversions
from export.deployable import Deployable
from export.formats import select_formats
from export.half_report import half_record, half_warnings
from export.half_trunk import MARK, mixed_trunk, with_marked_operations
from export.noise import quiet_converters
from export.quantization.half_check import check_half, watch_outputs
from export.quantization.half_range import UNDERFLOW_LIMIT
from runtimes.contract import Contract

from .half_networks import checked, with_detour

quiet_converters()


def test_outputs_beyond_float16_are_named_with_those_that_read_them(
    loud: Classifier, images: np.ndarray
) -> None:
    check = checked(loud, images)
    assert [tensor.name for tensor in check.at_risk] == ["away.1", "relu", "add_1"]
    assert check.largest_output.name == "add_1"
    assert check.largest_output.headroom < 1
    assert check.float_nodes == {"away_1", "relu", "add_1", "back_0"}
    assert check.float_modules == {"away.1", "relu", "back.0"}
    assert check.float_numbers == 2 * 24 * 24


def test_an_output_that_larger_images_may_carry_beyond_is_named(
    classifier: Classifier, images: np.ndarray
) -> None:
    found = with_detour(classifier, loud=True)
    found.trunk.away[1].weight.mul_(0.05)
    check = checked(found, images)
    assert 1 < check.largest_output.headroom < 4
    assert [tensor.name for tensor in check.overflow] == ["away.1", "relu", "add_1"]


def test_a_channel_of_weights_that_the_answer_needs_is_named(
    faint: Classifier, images: np.ndarray
) -> None:
    check = checked(faint, images)
    assert check.underflow_decibels < UNDERFLOW_LIMIT
    names = {tensor.name for tensor in check.at_risk}
    assert names == {"away.0.weight", "away.0", "away.1", "relu", "add_1"}
    weight = next(tensor for tensor in check.tensors if tensor.name == "away.0.weight")
    assert (weight.lost, weight.channels, weight.stored) == (1, 24, True)


def test_a_channel_that_the_answer_does_not_need_is_not_at_risk(
    classifier: Classifier, images: np.ndarray
) -> None:
    found = with_detour(classifier, loud=False)
    found.trunk.back[0].weight[:, 0] = 0
    check = checked(found, images)
    assert any(tensor.lost for tensor in check.tensors)
    assert check.at_risk == ()


def test_a_normal_network_keeps_nothing(classifier: Classifier, images: np.ndarray) -> None:
    check = checked(classifier, images)
    assert check.at_risk == ()
    assert check.float_nodes == check.float_modules == frozenset()


def test_the_manifest_and_the_warnings_name_what_each_file_keeps(
    loud: Classifier, faint: Classifier, contract: Contract, images: np.ndarray
) -> None:
    conversions = Conversions(loud, contract, images)

    def told(key: str) -> tuple[dict[str, bool], str]:
        (form,) = select_formats([key])
        check = conversions.half_check(form)
        assert check is not None
        record = half_record(form, check)
        assert record["images"] == (16 if form.rounds_activations else 32)
        assert {each["risk"] for each in record["at_risk"]} == {"overflow"}
        kept = {each["tensor"]: each["float32"] for each in record["at_risk"]}
        return kept, " ".join(half_warnings(form, check))

    for key in ("onnx:fp16", "coreml:fp16", "coreml:int8-weights"):
        kept, text = told(key)
        assert kept == dict.fromkeys(("away.1", "relu", "add_1"), True)
        assert f"{key}: kept in float32" in text
        assert "away.1 (reaches" in text
    # Levelling the stream, for int8 only, moves its middle into the bias.
    for key, more, reason in (
        ("tflite:fp16", [], "GPU"),
        ("coreml:w8a8", ["away.1.bias"], "cannot keep"),
    ):
        kept, text = told(key)
        assert kept == dict.fromkeys(("away.1", "relu", "add_1", *more), False)
        assert reason in text
        assert "kept in float32" not in text
    for key in ("onnx:fp32", "tflite:int8", "onnx:int8"):
        (form,) = select_formats([key])
        assert conversions.half_check(form) is None
    (form,) = select_formats(["tflite:fp16"])
    check = checked(faint, images)
    first, second = half_warnings(form, check)
    assert "away.0.weight (1 of 24 channels are too small)" in first
    assert "away.0.weight" not in second


def test_the_check_sees_the_weights_that_the_format_gets(
    classifier: Classifier, images: np.ndarray
) -> None:
    deployable = Deployable(classifier, 1.3)
    outputs = watch_outputs(deployable, images)
    largest = [
        check_half(module, images, outputs).tensors[0].largest
        for module in (deployable, deployable.channels_first())
    ]
    assert largest[1] == 128 * largest[0]


class Shuffled(nn.Module):
    """Parts of a tuple, and a shape, on the way from one convolution to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(2, 4, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) to (N, 8, S, S)."""
        left, right = self.first(pixels).chunk(2, dim=1)
        count, _, height, width = left.size()
        both = torch.cat([self.second(left), self.second(right)], 1)
        return both.view(count, 2, 4, height, width).transpose(1, 2).reshape(both.shape)


def _shuffled(loudness: float) -> Deployable:
    torch.manual_seed(0)
    found = Deployable(Classifier("shuffled", Shuffled().eval(), 8, 4, 0.1), 1.3)
    with torch.no_grad():
        dict(found.trunk.named_parameters())["first.weight"].mul_(loudness)
    return found


def test_shapes_are_no_readers_of_what_overflows(images: np.ndarray) -> None:
    loud = _shuffled(1e5)
    check = check_half(loud, images[:8], watch_outputs(loud, images[:8]))
    assert {"first", "chunk", "second"} <= check.float_nodes
    assert "size" not in check.float_nodes


@pytest.mark.parametrize("kept", [set(), {"second"}, {"getitem_1"}, {"view"}])
def test_a_mixed_trunk_answers_as_the_trunk_did(kept: set[str], images: np.ndarray) -> None:
    deployable = _shuffled(1.0)
    tensors = check_half(deployable, images, watch_outputs(deployable, images)).tensor_nodes
    pixels = deployable.trunk_input(images[:2])
    found = mixed_trunk(deployable.trunk, kept, tensors)(pixels)
    assert found.dtype == torch.float32
    assert torch.allclose(found, deployable.trunk(pixels), atol=1e-2)


@pytest.mark.parametrize("kept", [{"second"}, {"view", "cat"}, {"chunk", "second_1", "reshape"}])
def test_marked_operations_answer_as_before(kept: set[str]) -> None:
    trunk, pixels = Shuffled().eval(), torch.rand(2, 3, 8, 8)
    marked = with_marked_operations(trunk, kept)
    assert torch.equal(marked(pixels), trunk(pixels))
    assert {MARK + name for name in kept} <= dict(marked.named_children()).keys()


def test_the_size_gate_knows_what_is_in_float32() -> None:
    (form,) = select_formats(["tflite:fp16"])
    assert form.largest_file(1000, 100) - form.largest_file(1000) == 1.25 * 2 * 100
