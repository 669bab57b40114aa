"""Learned weights and ranges stand in the TFLite, ONNX and Core ML files to the last digit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from distill.models import Classifier
from export.conversions import Conversions
from export.deployable import Deployable
from export.formats import select_formats
from export.noise import quiet_converters
from export.quantization.aware.network import (
    aware_trunk,
    measure,
    trained_parameters,
    trained_ranges,
)
from export.quantization.aware.record import Aware
from export.quantization.aware.sites import LearnedRanges
from export.quantization.aware.steps import PIXELS, Range
from export.quantization.settings import DEFAULT, Quantization
from export.tflite_pixels import QUANTIZED_PIXELS
from runtimes.contract import Contract
from runtimes.errors import InputError
from runtimes.metadata import embed_contract
from runtimes.session import open_model

quiet_converters()
SIZE = 32


class EveryOperation(nn.Module):
    """All that ranges are learned of: ReLU, ReLU6, pooling, and additions with and without ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_layer(3, 8, 3, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1))
        self.first, self.second = _layer(8, 8, 3), _layer(8, 8, 1)
        self.relu = nn.ReLU(inplace=True)
        self.expand = nn.Sequential(_layer(8, 16, 1), nn.ReLU6())
        self.depthwise = nn.Sequential(_layer(16, 16, 3, groups=16), nn.ReLU6())
        self.project = _layer(16, 8, 1)
        self.last = nn.Sequential(_layer(8, 24, 3, 2), nn.ReLU6())

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) to (N, 24, S / 8, S / 8)."""
        pooled = self.stem(pixels)
        joined = self.first(pooled)
        joined += self.second(pooled)
        joined = self.relu(joined)
        return self.last(joined + self.project(self.depthwise(self.expand(joined))))


def _layer(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Module:
    convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class Trained:
    """A tiny student, its aware trunk with numbers that no calibration gives, and its files."""

    def __init__(self, classifier: Classifier, contract: Contract, images: np.ndarray) -> None:
        self.classifier, self.contract, self.images = classifier, contract, images
        conversions = Conversions(classifier, contract, images)
        self.deployable = conversions.int8_network
        start = measure(self.deployable.trunk, images)
        self.trunk = aware_trunk(self.deployable.trunk, start)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for value in self.trunk.parameters():
                value.add_(torch.randn(value.shape, generator=generator))
        self.learned: LearnedRanges = trained_ranges(self.trunk, start.sites)
        assert all(span != start.ranges[name] for name, span in self.learned.ranges.items())
        self.aware = Aware(
            trained_parameters(self.trunk), self.learned, Path("tiny_int8"), "0" * 64
        )
        self._conversions = conversions.with_quantization(replace(DEFAULT, aware=self.aware))

    def write(self, key: str, folder: Path) -> Path:
        (form,) = select_formats([key])
        path = folder / form.file_name("tiny")
        self._conversions.write(form, path)
        embed_contract(path, self.contract)
        return path

    @torch.no_grad()
    def predict(self, head_in_bytes: bool = False) -> np.ndarray:
        """Class maps of the network with fake quantization, (N, h, w, K).

        Args:
            head_in_bytes: whether the head's weights are rounded to int8, as a .tflite stores them.
        """
        rounded = self.deployable.with_trunk(self.trunk)
        if head_in_bytes:
            weight = self.deployable.class_weight
            scale = weight.abs().amax(dim=(1, 2, 3), keepdim=True) / 127
            stored = nn.Parameter(torch.round(weight / scale) * scale)
            rounded._parameters = {**rounded._parameters, "class_weight": stored}
        return rounded(torch.from_numpy(self.images).float()).cam.numpy()


@pytest.fixture(scope="module")
def trained(enliven: Any, contract: Contract, images: np.ndarray) -> Trained:
    torch.manual_seed(0)
    classifier = enliven(Classifier("tiny", EveryOperation(), 24, 4, 0.1), SIZE)
    return Trained(classifier, contract, images)


@pytest.fixture(scope="module")
def tflite(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("litert_torch", reason="needs the tflite group")
    return trained.write("tflite:int8", tmp_path_factory.mktemp("tflite"))


@pytest.fixture(scope="module")
def onnx(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnxscript", reason="needs the onnx group")
    return trained.write("onnx:int8", tmp_path_factory.mktemp("onnx"))


@pytest.fixture(scope="module")
def coreml(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("coremltools", reason="needs the coreml group")
    return trained.write("coreml:w8a8", tmp_path_factory.mktemp("coreml"))


def _convolutions(trained: Trained) -> dict[str, np.ndarray]:
    weights = trained.aware.parameters.items()
    return {n.removesuffix(".weight"): v.numpy() for n, v in weights if n.endswith(".weight")}


def _same_weights(found: np.ndarray, wanted: np.ndarray) -> None:
    assert np.array_equal(found.astype(np.float32), wanted)


def test_tflite_has_the_trained_scales_zero_points_and_weights(
    trained: Trained, tflite: Path
) -> None:
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(tflite))
    tensors = {tensor.name.decode(): tensor for tensor in model.subgraphs[0].tensors}

    def span(name: str) -> Range:
        how = tensors[name].quantization
        (scale,), (zero_point,) = how.scale, how.zeroPoint
        return Range(float(scale), int(zero_point) + 128)  # int8 steps begin at -128

    sites = {site.name: site for site in trained.learned.sites}
    additions = [name for name, site in sites.items() if len(site.inputs) == 2]
    for name in sites.keys() - additions:
        assert span(f"trunk/{name}") == trained.learned.ranges[name], name
    for number, name in enumerate(additions):
        assert span(f"trunk/add_{number}") == trained.learned.ranges[name], name
    assert span("trunk/max_pool_2d_0") == trained.learned.ranges["stem.0.0"]
    assert span(QUANTIZED_PIXELS) == PIXELS
    for name, wanted in _convolutions(trained).items():
        tensor = tensors[f"trunk/{name}/weight"]
        data = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.int8)
        steps = data.reshape(tuple(tensor.shape))
        scale = np.asarray(tensor.quantization.scale, np.float32)
        if steps.shape[0] == 1 and wanted.shape[0] > 1:  # a filter for each channel
            _same_weights((steps * scale).transpose(3, 0, 1, 2), wanted)
        else:
            _same_weights((steps.T * scale[None, None, None]).T.transpose(0, 3, 1, 2), wanted)


def test_onnx_has_the_trained_scales_zero_points_and_weights(trained: Trained, onnx: Path) -> None:
    from onnx import load_model, numpy_helper

    graph = load_model(str(onnx)).graph
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    made_by = {name: node for node in graph.node for name in node.output}
    found: dict[str, Range] = {}

    def site_of(tensor: str) -> str | None:
        """Name of the convolution or addition whose value a tensor is; None for pixels."""
        node = made_by[tensor]
        if node.op_type == "Conv":
            return str(node.input[1]).removeprefix("trunk.").partition(".weight_")[0]
        if node.op_type == "Add":
            inputs = {site_of(name) for name in node.input}
            (site,) = (s.name for s in trained.learned.sites if set(s.inputs) == inputs)
            return site
        return None if node.op_type in ("Sub", "Transpose") else site_of(node.input[0])

    for node in graph.node:
        if node.op_type == "QuantizeLinear":
            span = Range(float(values[node.input[1]]), int(values[node.input[2]]))
            site = site_of(node.input[0])
            assert span == (PIXELS if site is None else found.setdefault(site, span)), site
            assert values[node.input[2]].dtype == np.uint8
    assert found == dict(trained.learned.ranges)
    for name, wanted in _convolutions(trained).items():
        steps, scale = (values[f"trunk.{name}.weight_{kind}"] for kind in ("quantized", "scale"))
        assert steps.dtype == np.int8
        _same_weights(steps * scale[:, None, None, None], wanted)


def test_core_ml_has_the_trained_scales_zero_points_and_weights(
    trained: Trained, coreml: Path
) -> None:
    from coremltools.converters.mil.mil.types import builtin_to_string

    found: dict[str, Range] = {}
    weights = _convolutions(trained)
    left = set(weights)

    def site_of(value: Any) -> str | None:
        """Name of the convolution or addition whose value it is; None for pixels."""
        operation = value.op
        if operation is None or operation.op_type in ("sub", "mul"):
            return None
        if operation.op_type == "conv":
            stored = operation.weight.op
            scale = stored.scale.val.astype(np.float32)[:, None, None, None]
            numbers = stored.quantized_data.val * scale
            name = next(n for n, w in weights.items() if _equal(numbers, w))
            left.discard(name)
            return name
        if operation.op_type == "add":
            inputs = {site_of(operation.x), site_of(operation.y)}
            (site,) = (s.name for s in trained.learned.sites if set(s.inputs) == inputs)
            return site
        return site_of(operation.input if "quantize" in operation.op_type else operation.x)

    for operation in _mil(coreml).operations:
        if operation.op_type not in ("quantize", "dequantize"):
            continue
        steps = operation.outputs[0] if operation.op_type == "quantize" else operation.input
        zero = 0 if operation.zero_point is None else int(operation.zero_point.val)
        zero += 128 * (builtin_to_string(steps.dtype) == "int8")  # its steps begin at -128
        span = Range(float(operation.scale.val), zero)
        site = site_of(operation.input)
        wanted = Range(1 / 128, 128) if site is None else found.setdefault(site, span)
        assert span == wanted, site
    assert found == dict(trained.learned.ranges)
    assert not left


def _equal(numbers: np.ndarray, weight: np.ndarray) -> bool:
    """Whether these are the weights; Core ML's first ones are 128 times as large."""
    factors = (1, 128) if weight.shape[1] == 3 else (1,)
    return any(np.array_equal(numbers, weight * factor) for factor in factors)


def _mil(package: Path) -> Any:
    from coremltools.converters.mil.frontend.milproto.load import load
    from coremltools.models import MLModel

    model = MLModel(str(package), skip_model_load=True)
    specification = model.get_spec()
    version = specification.specificationVersion
    program = load(specification, version, file_weights_dir=model.weights_dir)
    return program.functions["main"]


@pytest.mark.parametrize("key", ["tflite", "onnx"])
def test_the_files_answer_as_the_trained_network(
    key: str, trained: Trained, request: pytest.FixtureRequest
) -> None:
    found = open_model(request.getfixturevalue(key)).predict(trained.images).cam
    error = np.abs(found - trained.predict(head_in_bytes=key == "tflite"))
    # A value on the border between two steps may fall to either, and spread from there.
    largest_weight = trained.deployable.class_weight.abs().max().item()
    step = largest_weight * trained.learned.ranges["last.0.0"].scale
    assert np.median(error) < 0.01 * step
    assert np.quantile(error, 0.9) < step


def test_core_ml_answers_as_the_trained_network_but_for_float16(
    trained: Trained, coreml: Path
) -> None:
    found, wanted = open_model(coreml).predict(trained.images).cam, trained.predict()
    assert np.sqrt(np.mean(np.square(found - wanted))) < 0.04 * wanted.std()


def test_the_float_files_stay_those_of_the_student(trained: Trained, tmp_path: Path) -> None:
    pytest.importorskip("litert_torch", reason="needs the tflite group")
    session = open_model(trained.write("tflite:fp32", tmp_path))
    wanted = Deployable(trained.classifier, 1.3)(torch.from_numpy(trained.images).float())
    assert np.abs(session.predict(trained.images).cam - wanted.cam.numpy()).max() < 1e-3


def test_layers_in_float_do_not_go_with_weights_trained_for_int8(trained: Trained) -> None:
    with pytest.raises(InputError, match="trained with all layers in int8"):
        Quantization(float_layers=("first.0",), aware=trained.aware)


def test_float16_is_checked_on_the_trained_network(trained: Trained) -> None:
    (form,) = select_formats(["coreml:w8a8"])
    loud = {name: value.clone() for name, value in trained.aware.parameters.items()}
    name = next(name for name in loud if name.endswith(".bias"))
    loud[name] += 1e6
    aware = replace(trained.aware, parameters=loud)
    conversions = Conversions(trained.classifier, trained.contract, trained.images)
    check = conversions.with_quantization(replace(DEFAULT, aware=aware)).half_check(form)
    assert check is not None
    assert name in [tensor.name for tensor in check.overflow]
    calm = conversions.half_check(form)
    assert calm is not None
    assert not calm.overflow
