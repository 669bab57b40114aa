"""Mixed precision: named convolutions stay in float in every int8 format, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import fx, nn

from distill.models import Classifier
from export.conversions import Conversions
from export.deployable import Deployable
from export.formats import select_formats
from export.quantization.bias_correction import (
    Rounding,
    correct_biases,
    exact,
    integer,
    integer_activation,
)
from export.quantization.float_layers import Step, exact_nodes, in_float, trunk_steps
from export.quantization.settings import DEFAULT
from export.quantization.weight_steps import settle_weights
from runtimes.contract import Contract
from runtimes.errors import InputError

PAIR = ("stem.0", "depthwise.0")


def test_what_has_no_weights_follows_what_it_reads_and_padding_what_reads_it() -> None:
    steps = [
        Step("pad", None, ("pixels",), ("padded",), is_padding=True),
        Step("one", "1", ("padded",), ("a",)),
        Step("two", "2", ("a",), ("b",)),
        Step("both", None, ("a", "b"), ("sum",)),
        Step("pad again", None, ("sum",), ("padded sum",), is_padding=True),
        Step("three", "3", ("padded sum",), ("c",)),
    ]
    assert in_float(steps, ("1",)) == {"pad", "one"}
    assert in_float(steps, ("1", "2")) == {"pad", "one", "two", "both"}
    assert in_float(steps, ("3",)) == {"pad again", "three"}
    assert in_float(steps, ()) == frozenset()


def test_a_value_that_int8_reads_is_rounded(classifier: Classifier) -> None:
    trunk = fx.symbolic_trace(Deployable(classifier, 1.0).trunk)
    kept = exact_nodes(trunk, in_float(trunk_steps(trunk), PAIR))
    # The stem's activation is also read by the addition, whose other side is int8.
    assert {str(node.target) for node in trunk.graph.nodes if node.name in kept} >= {"stem.0"}
    assert not {"stem.2", "depthwise.2"} & {
        str(node.target) for node in trunk.graph.nodes if node.name in kept
    }
    alone = exact_nodes(trunk, in_float(trunk_steps(trunk), (*PAIR, "project.0")))
    assert "stem.2" in {str(node.target) for node in trunk.graph.nodes if node.name in alone}


def test_correction_counts_on_exact_weights_where_layers_stay_in_float(
    classifier: Classifier, images: np.ndarray
) -> None:
    deployable = Deployable(classifier, 1.0)
    rounding = Rounding(integer(), exact, integer_activation)
    corrected = correct_biases(deployable, images, rounding, PAIR)
    before, after = (dict(each.trunk.named_parameters()) for each in (deployable, corrected))
    assert torch.allclose(after["stem.0.bias"], before["stem.0.bias"], atol=1e-5)
    everywhere = dict(correct_biases(deployable, images, rounding).trunk.named_parameters())
    assert not torch.allclose(everywhere["stem.0.bias"], before["stem.0.bias"], atol=1e-5)
    settled = dict(settle_weights(deployable, float_layers=PAIR).trunk.named_parameters())
    assert torch.equal(settled["depthwise.0.weight"], before["depthwise.0.weight"])


def test_correction_counts_on_exact_values_between_float_layers(
    classifier: Classifier, images: np.ndarray
) -> None:
    trunk = Deployable(classifier, 1.0)
    rounding = Rounding(exact, exact, integer_activation)  # only activations lose anything
    layers = (*PAIR, "project.0")
    corrected = correct_biases(trunk, images, rounding, layers)
    before, after = (dict(each.trunk.named_parameters()) for each in (trunk, corrected))
    assert torch.allclose(after["depthwise.0.bias"], before["depthwise.0.bias"], atol=1e-5)
    everywhere = dict(correct_biases(trunk, images, rounding).trunk.named_parameters())
    assert not torch.allclose(everywhere["depthwise.0.bias"], before["depthwise.0.bias"], atol=1e-5)


def test_conversions_hand_the_names_on(
    classifier: Classifier, contract: Contract, images: np.ndarray
) -> None:
    mixed = Conversions(classifier, contract, images).with_quantization(
        replace(DEFAULT, equalize=False, float_layers=PAIR)
    )
    made = dict(mixed.int8_network.trunk.named_parameters())
    exact_numbers = dict(mixed._floats.lifted.trunk.named_parameters())
    assert torch.equal(made["depthwise.0.weight"], exact_numbers["depthwise.0.weight"])
    assert torch.allclose(made["stem.0.bias"], exact_numbers["stem.0.bias"], atol=1e-5)
    with pytest.raises(InputError, match="no convolution"):
        mixed.with_quantization(replace(DEFAULT, float_layers=("typo",)))


def test_a_linear_layer_does_not_follow() -> None:
    trunk = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(2), nn.Linear(9, 2), nn.ReLU())
    steps = trunk_steps(fx.symbolic_trace(trunk))
    assert in_float(steps, ("0",)) == {"_0", "_1"}


def _written(
    key: str, classifier: Classifier, contract: Contract, images: np.ndarray, folder: Path
) -> Path:
    (form,) = select_formats([key])
    mixed = replace(DEFAULT, float_layers=PAIR)
    path = folder / f"mixed{form.suffix}"
    Conversions(classifier, contract, images, mixed).write(form, path)
    return path


@pytest.mark.parametrize("layer", ["depthwise.0", "project.0"])
def test_onnx_runtime_leaves_float_weights_as_they_are(
    layer: str, classifier: Classifier, contract: Contract, images: np.ndarray, tmp_path: Path
) -> None:
    """It rounds those between int8 values while it opens a file, with one scale for all."""
    onnx = pytest.importorskip("onnx", reason="needs the onnx group")
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the onnx group")
    (form,) = select_formats(["onnx:int8"])
    written, opened = tmp_path / "mixed.onnx", tmp_path / "opened.onnx"
    mixed = replace(DEFAULT, float_layers=(layer,))
    Conversions(classifier, contract, images, mixed).write(form, written)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(opened)
    onnxruntime.InferenceSession(str(written), options, providers=["CPUExecutionProvider"])
    before, after = (onnx.load(str(path)) for path in (written, opened))
    name = f"trunk.{layer}.weight"
    stored = {each.name: each for each in before.graph.initializer}
    (kept,) = (each for each in after.graph.initializer if each.name == name)
    assert kept.data_type == onnx.TensorProto.FLOAT
    (reader,) = (node for node in after.graph.node if name in node.input)
    assert reader.op_type == "Conv"  # it reads them as they are, with nothing in between
    values = onnx.numpy_helper.to_array
    assert np.array_equal(values(kept), values(stored[name]))


def test_tflite_convolutions_of_these_names_have_float_weights(
    classifier: Classifier, contract: Contract, images: np.ndarray, tmp_path: Path
) -> None:
    pytest.importorskip("litert_torch", reason="needs the tflite group")
    from ai_edge_litert.interpreter import Interpreter

    path = _written("tflite:int8", classifier, contract, images, tmp_path)
    details = Interpreter(model_path=str(path)).get_tensor_details()
    types = {tensor["name"]: tensor["dtype"] for tensor in details}
    for name in PAIR:
        assert types[f"trunk/{name}/weight"] == np.float32
    for name in ("project.0", "last.0"):
        assert types[f"trunk/{name}/weight"] == np.int8


def test_onnx_convolutions_of_these_names_have_float_weights(
    classifier: Classifier, contract: Contract, images: np.ndarray, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the onnx group")
    model = onnx.load_model(str(_written("onnx:int8", classifier, contract, images, tmp_path)))
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    for name in PAIR:
        assert types[f"trunk.{name}.weight"] == onnx.TensorProto.FLOAT
    for name in ("project.0", "last.0"):
        assert types[f"trunk.{name}.weight_quantized"] == onnx.TensorProto.INT8


def test_core_ml_convolutions_of_these_names_have_float_weights(
    classifier: Classifier, contract: Contract, images: np.ndarray, tmp_path: Path
) -> None:
    pytest.importorskip("coremltools", reason="needs the coreml group")
    (form,) = select_formats(["coreml:w8a8"])
    whole = Conversions(classifier, contract, images)
    mixed = whole.with_quantization(replace(DEFAULT, float_layers=PAIR))
    counts = [
        each.write(form, tmp_path / f"{number}.mlpackage")["constexpr_affine_dequantize"]
        for number, each in enumerate((whole, mixed))
    ]
    assert counts[1] == counts[0] - len(PAIR)


def test_a_value_behind_a_float_relu_has_all_steps_above_zero(
    classifier: Classifier, images: np.ndarray
) -> None:
    pytest.importorskip("coremltools", reason="needs the coreml group")
    from export import coreml_export

    module = Deployable(classifier, 1.0).channels_first()
    trunk = coreml_export.quantize_trunk(module, images, float_layers=("stem.0",)).trunk
    assert int(trunk.depthwise_0_input_zero_point_0) == 0
    assert float(trunk.depthwise_0_input_scale_0) <= 6 / 255


def test_a_name_that_no_convolution_has_is_refused(
    classifier: Classifier, contract: Contract
) -> None:
    with pytest.raises(InputError, match=r"'stem\.2'.*stem\.0"):
        Conversions(classifier, contract, None, replace(DEFAULT, float_layers=("stem.2",)))


def test_numbers_left_in_float_are_counted_for_the_size_of_the_file(
    classifier: Classifier, contract: Contract, images: np.ndarray
) -> None:
    mixed = Conversions(classifier, contract, images, replace(DEFAULT, float_layers=PAIR))
    weights = sum(classifier.trunk.get_submodule(name).weight.numel() for name in PAIR)
    for form in select_formats(["tflite:int8", "onnx:int8", "coreml:w8a8"]):
        assert mixed.float_numbers(form) == weights
        assert form.largest_file(10_000, weights) > form.largest_file(10_000)
    assert mixed.float_numbers(select_formats(["tflite:fp32"])[0]) == 0
