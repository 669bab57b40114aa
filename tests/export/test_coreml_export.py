"""Core ML packages: an image goes in, and int8 has the steps that were planned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill.models import Classifier
from export.deployable import Deployable
from export.noise import quiet_converters
from runtimes.contract import Contract
from runtimes.hashes import sha256_of
from runtimes.metadata import embed_contract
from runtimes.prediction import Prediction
from runtimes.session import open_model

quiet_converters()
pytest.importorskip("coremltools", reason="needs the coreml group")
from export import coreml_export  # noqa: E402
from export.conversions import Conversions  # noqa: E402
from export.formats import select_formats  # noqa: E402
from export.quantization.weight_steps import channel_scale, weight_steps  # noqa: E402

SIZE = 32


@pytest.fixture(scope="module")
def deployable(classifier: Classifier) -> Deployable:
    return Deployable(classifier, 1.3)


@pytest.fixture(scope="module")
def package(deployable: Deployable) -> Any:
    return coreml_export.convert(deployable.channels_first(), SIZE, "iOS16")


def _predict(model: Any, path: Path, contract: Contract, images: np.ndarray) -> Prediction:
    coreml_export.write(model, path)
    embed_contract(path, contract)
    return open_model(path).predict(images)


def test_it_takes_an_image_and_gives_torchs_answers(
    package: Any, deployable: Deployable, contract: Contract, images: np.ndarray, tmp_path: Path
) -> None:
    (image,) = package.get_spec().description.input
    assert image.name == "image"
    assert (image.type.imageType.width, image.type.imageType.height) == (SIZE, SIZE)
    found = _predict(package, tmp_path / "m.mlpackage", contract, images[:8])
    wanted = deployable(torch.from_numpy(images[:8]).float())
    assert np.abs(found.probabilities - wanted.probabilities.numpy()).max() < 0.01
    assert np.abs(found.cam - wanted.cam.numpy()).max() < 0.1


def test_the_same_model_is_the_same_bytes(package: Any, tmp_path: Path) -> None:
    for name in ("a.mlpackage", "b.mlpackage"):
        coreml_export.write(package, tmp_path / name)
    assert sha256_of(tmp_path / "a.mlpackage") == sha256_of(tmp_path / "b.mlpackage")


def test_int8_weights_leave_small_ones_and_the_head_alone(
    deployable: Deployable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coreml_export, "SMALLEST_QUANTIZED", 100)
    model = coreml_export.convert(deployable.channels_first(), SIZE, "iOS16")
    kinds = coreml_export.operator_kinds(coreml_export.quantize_weights(model))
    assert kinds.count("constexpr_affine_dequantize") == 2  # stem 216, last 1728; head 96


def test_w8a8_has_whole_pixels_and_127_steps(deployable: Deployable, images: np.ndarray) -> None:
    trunk = coreml_export.quantize_trunk(deployable.channels_first(), images).trunk
    buffers = dict(trunk.named_buffers())
    pixels = next(value for name, value in buffers.items() if "input_scale" in name)
    assert pixels.item() == pytest.approx(1 / 128)
    weights = dict(deployable.channels_first().trunk.named_parameters())["last.0.weight"]
    largest = weights.abs().amax(dim=(1, 2, 3))
    scale = next(v for k, v in buffers.items() if k.startswith("last.0") and "weight_scale" in k)
    assert torch.allclose(largest / scale, torch.tensor(127.0), atol=1e-3)


def test_w8a8_answers_resemble_torchs(
    deployable: Deployable, contract: Contract, images: np.ndarray, tmp_path: Path
) -> None:
    quantized = coreml_export.quantize_trunk(deployable.channels_first(), images)
    model = coreml_export.convert(quantized, SIZE, "iOS17")
    kinds = coreml_export.operator_kinds(model)
    assert "quantize" in kinds
    assert kinds.count("constexpr_affine_dequantize") == 4
    found = _predict(model, tmp_path / "m.mlpackage", contract, images[:16])
    wanted = deployable(torch.from_numpy(images[:16]).float())
    difference = np.abs(found.probabilities - wanted.probabilities.numpy())
    assert 0 < difference.max() < 0.25


def test_int8_weights_are_the_steps_that_biases_were_corrected_for(
    contract: Contract, images: np.ndarray
) -> None:
    torch.manual_seed(0)
    trunk = torch.nn.Sequential(
        torch.nn.Conv2d(3, 64, 3, 2, 1), torch.nn.ReLU6(), torch.nn.Conv2d(64, 256, 1)
    )
    model = Classifier("wide", trunk, 256, 4, 0.0).eval().requires_grad_(False)
    conversions = Conversions(model, contract, images[:8])
    (form,) = select_formats(["coreml:int8-weights"])
    program = conversions._coreml(form)._mil_program.functions["main"]
    (stored,) = program.find_ops(op_type="constexpr_affine_dequantize")
    weight = Deployable(model, 1.0).trunk.get_submodule("2").weight
    wanted = weight_steps(weight, channel_scale(weight)).numpy()
    assert weight.numel() == 128 * 128
    assert np.array_equal(stored.quantized_data.val, wanted)
    # Rounding once more from float16, without settling, moves some.
    again = weight.half().float()
    scale = channel_scale(again).half().float()
    assert not np.array_equal((again / scale).round().numpy(), wanted)
