"""ONNX files: one file, a dynamic batch, int8 in the trunk only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

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
