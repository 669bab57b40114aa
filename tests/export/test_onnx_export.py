"""ONNX files: one file, a dynamic batch, int8 in the trunk only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from distill.models import Classifier
from export.deployable import Deployable
from export.quantization.bias_correction import (
    Rounding,
    correct_biases,
    exact,
    exact_activation,
    integer,
)

pytest.importorskip("onnxscript", reason="needs the onnx group")
from export import onnx_export
from export.noise import quiet_converters
from runtimes.onnx_runtime import NO_OVERFLOW

quiet_converters()
SIZE = 32


@pytest.fixture(scope="module")
def deployable(classifier: Classifier) -> Deployable:
    return Deployable(classifier, 1.3)


@pytest.fixture(scope="module")
def model(deployable: Deployable) -> Any:
    return onnx_export.convert(deployable, SIZE)


@pytest.fixture(scope="module")
def quantized(model: Any, images: np.ndarray) -> Any:
    return onnx_export.quantize_static(model, images)


def _run(model: Any, images: np.ndarray) -> list[np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    options.add_session_config_entry(*NO_OVERFLOW)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = ["probabilities", "cam", "unknown"]
    return session.run(names, {"image": images.astype(np.float32)})


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_any_batch_gives_torchs_answers(
    batch: int, model: Any, deployable: Deployable, images: np.ndarray
) -> None:
    wanted = deployable(torch.from_numpy(images[:batch]).float())
    for found, value in zip(_run(model, images[:batch]), wanted, strict=True):
        assert found.shape == value.shape
        assert np.abs(found - value.numpy()).max() < 1e-3


def test_it_is_one_file_without_a_word_about_the_machine(model: Any, tmp_path: Path) -> None:
    onnx_export.write(model, tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    content = (tmp_path / "model.onnx").read_bytes()
    for word in (b"/export/", b"site-packages", b"deployable.py"):
        assert word not in content


def test_a_half_trunk_stores_float16_behind_float32_borders(
    model: Any, deployable: Deployable, images: np.ndarray
) -> None:
    half = onnx_export.halve_trunk(model)
    kinds = {tensor.name: tensor.data_type for tensor in half.graph.initializer}
    assert {kind for name, kind in kinds.items() if name.startswith("trunk.")} == {10}  # FLOAT16
    assert kinds["class_weight"] == 1  # FLOAT
    assert [node.op_type for node in half.graph.node].count("Cast") == 2
    assert 10 not in {tensor.data_type for tensor in model.graph.initializer}  # it is a copy
    found, wanted = _run(half, images[:8])[0], deployable(torch.from_numpy(images[:8]).float())[0]
    assert 0 < np.abs(found - wanted.numpy()).max() < 0.02


def test_int8_is_in_the_trunk_only(quantized: Any) -> None:
    weights = {tensor.name: tensor.data_type for tensor in quantized.graph.initializer}
    assert weights["trunk.last.0.weight_quantized"] == 3  # INT8
    assert weights["class_weight"] == 1
    following = [node.op_type for node in quantized.graph.node][-6:]
    assert "QuantizeLinear" not in following


def test_int8_pixels_are_whole_steps_and_weights_have_a_scale_per_channel(quantized: Any) -> None:
    from onnx import numpy_helper

    values = {tensor.name: tensor for tensor in quantized.graph.initializer}
    first = next(node for node in quantized.graph.node if node.op_type == "QuantizeLinear")
    assert numpy_helper.to_array(values[first.input[1]]) == 1.0
    assert numpy_helper.to_array(values[first.input[2]]) == 128
    assert numpy_helper.to_array(values["trunk.last.0.weight_scale"]).shape == (24,)


class PooledSums(nn.Module):
    """A ResNet's kinds of addition: of what was pooled, and with a ReLU behind the sum."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.first, self.second = nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(8, 8, 3, 1, 1)
        self.last = nn.Conv2d(8, 24, 3, 2, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) to (N, 24, S / 8, S / 8)."""
        pooled = self.pool(self.stem(pixels))
        once = torch.relu(pooled + self.first(pooled))
        return torch.relu(self.last(torch.relu(once + self.second(once))))


def _scales_of_sums(model: Any) -> list[tuple[float, float, float]]:
    """Those of both inputs and of the sum, of every addition between int8 tensors."""
    from onnx import numpy_helper

    values = {tensor.name: tensor for tensor in model.graph.initializer}
    maker = {node.output[0]: node for node in model.graph.node}
    reader = {name: node for node in model.graph.node for name in node.input}
    found = []
    for node in model.graph.node:
        if node.op_type == "Add" and node.input[0] in maker and node.input[1] in maker:
            around = (*(maker[name] for name in node.input), reader[node.output[0]])
            if {each.op_type for each in around} == {"QuantizeLinear", "DequantizeLinear"}:
                one, two, three = (
                    float(numpy_helper.to_array(values[each.input[1]])) for each in around
                )
                found.append((one, two, three))
    return found


@pytest.mark.parametrize(("kind", "sums"), [("inverted residual", 1), ("ResNet", 2)])
def test_no_int8_sum_lies_near_the_middle_between_two_steps(
    kind: str,
    sums: int,
    quantized: Any,
    images: np.ndarray,
    enliven: Callable[[Classifier, int], Classifier],
) -> None:
    if kind == "ResNet":
        torch.manual_seed(0)
        network = enliven(Classifier("pooled", PooledSums(), 24, 4, 0.1), SIZE)
        model = onnx_export.convert(Deployable(network, 1.0), SIZE)
        quantized = onnx_export.quantize_static(model, images)
    found = _scales_of_sums(quantized)
    assert len(found) == sums
    for first, second, given in found:
        odd, unit = _odd(given)
        assert odd < 1024  # see export/quantization/equal_sums.py
        assert (first / unit) % 1 == (second / unit) % 1 == 0


def _odd(value: float) -> tuple[int, float]:
    """A number as an odd number times a power of two."""
    numerator, denominator = value.as_integer_ratio()
    low = numerator & -numerator
    return numerator // low, low / denominator


def test_int8_answers_resemble_torchs(
    quantized: Any, deployable: Deployable, images: np.ndarray
) -> None:
    wanted = deployable(torch.from_numpy(images).float())
    difference = np.abs(_run(quantized, images)[0] - wanted.probabilities.numpy())
    assert 0 < difference.max() < 0.2
    assert difference.mean() < 0.02


def test_other_numbers_need_no_second_conversion(
    model: Any, deployable: Deployable, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounding = Rounding(integer(), exact, exact_activation)
    corrected = correct_biases(deployable, images, rounding)
    before = model.SerializeToString()
    monkeypatch.setattr(onnx_export, "convert", None)
    again = onnx_export.convert_again(model, deployable, corrected, SIZE)
    wanted = corrected(torch.from_numpy(images).float())
    assert np.abs(_run(again, images)[1] - wanted.cam.numpy()).max() < 1e-3
    assert model.SerializeToString() == before
