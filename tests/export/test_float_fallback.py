"""What an int8 file computes in float unasked is named after its torch module, in every format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from distill.models import Classifier
from export.conversions import Conversions
from export.formats import select_formats
from export.quantization.float_fallback import summary
from export.quantization.settings import DEFAULT
from runtimes.contract import Contract

INT8 = ("onnx:int8", "coreml:w8a8", "tflite:int8")


class _Between(nn.Module):
    """The tiny trunk with one more operation behind its stem, which only the addition reads."""

    def __init__(self, trunk: nn.Module, operation: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk
        self.operation = operation

    def forward(self, pixels: Tensor) -> Tensor:
        """As the tiny trunk."""
        stem = self.trunk.stem(pixels)
        return self.trunk.last(
            self.operation(stem) + self.trunk.project(self.trunk.depthwise(stem))
        )


class _Exponential(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        """e to the minus x."""
        return torch.exp(-values)


def _left(key: str, conversions: Conversions, folder: Path) -> tuple[str, ...]:
    (form,) = select_formats([key])
    packages = {"onnx": "onnx", "coreml": "coremltools", "tflite": "litert_torch"}
    pytest.importorskip(packages[form.family], reason=f"needs the {form.family} group")
    path = folder / f"file{form.suffix}"
    conversions.write(form, path)
    return conversions.left_in_float(form, path)


@pytest.mark.parametrize("key", INT8)
def test_an_operator_without_int8_form_is_named_after_the_layer_before_it(
    key: str, classifier: Classifier, contract: Contract, images: np.ndarray, tmp_path: Path
) -> None:
    other = Classifier("between", _Between(classifier.trunk, _Exponential()), 24, 4, 0.1)
    other.requires_grad_(False).eval()
    left = _left(key, Conversions(other, contract, images[:16]), tmp_path)
    assert "exp after trunk.stem.0" in [name.lower() for name in left]
    assert all(name.endswith(" after trunk.stem.0") for name in left)


@pytest.mark.parametrize("key", INT8)
def test_nothing_is_named_where_all_is_int8_or_was_asked_to_be_float(
    key: str, classifier: Classifier, contract: Contract, images: np.ndarray, tmp_path: Path
) -> None:
    whole = Conversions(classifier, contract, images[:16])
    assert _left(key, whole, tmp_path) == ()
    asked = ("stem.0", "depthwise.0")
    mixed = whole.with_quantization(replace(DEFAULT, float_layers=asked))
    assert _left(key, mixed, tmp_path) == ()


@pytest.mark.parametrize("key", INT8)
def test_a_convolution_that_stayed_in_float_is_named_by_its_module(
    key: str, classifier: Classifier, contract: Contract, images: np.ndarray, tmp_path: Path
) -> None:
    """The file has two float layers and only one of them was asked for."""
    whole = Conversions(classifier, contract, images[:16])
    mixed = whole.with_quantization(replace(DEFAULT, float_layers=("stem.0", "depthwise.0")))
    (form,) = select_formats([key])
    _left(key, mixed, tmp_path)
    asked = whole.with_quantization(replace(DEFAULT, float_layers=("stem.0",)))
    left = asked.left_in_float(form, tmp_path / f"file{form.suffix}")
    kind = {"onnx": "Conv", "coreml": "conv", "tflite": "DEPTHWISE_CONV_2D"}[form.family]
    assert f"{kind} depthwise.0" in left
    assert not any("stem.0" in name for name in left if name.startswith(kind))


def test_small_layers_that_core_ml_keeps_in_float16_are_named(
    classifier: Classifier, contract: Contract, images: np.ndarray, tmp_path: Path
) -> None:
    left = _left("coreml:int8-weights", Conversions(classifier, contract, images[:16]), tmp_path)
    # The tiny network has no convolution of 2048 numbers.
    assert left == ("conv stem.0", "conv depthwise.0", "conv project.0", "conv last.0")


def test_a_summary_counts_by_kind_and_says_where() -> None:
    names = ("Exp after 1.0", "Conv 2.0", "Exp after 3.0")
    assert summary(names) == "2 Exp (after 1.0, …), 1 Conv (2.0)"
