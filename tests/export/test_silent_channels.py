"""Channels and whole activations that are always zero: every int8 file answers as torch does."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from torch import nn

from distill.models import Classifier
from export.conversions import Conversions
from export.formats import FORMATS, Format
from export.reference import reference_session
from export.verify import verify_file
from runtimes.contract import Contract
from runtimes.metadata import embed_contract
from runtimes.session import open_model

_BLOCKS = ("stem", "depthwise", "project", "last")
_NEVER = -100.0  # so far below zero that a ReLU lets nothing through


def _some_channels(trunk: nn.Module) -> None:
    """One without weights, one without weights and bias, one that its ReLU silences."""
    for block in _BLOCKS:
        convolution, norm = trunk.get_submodule(block)[:2]
        convolution.weight[0] = 0
        norm.weight[1] = norm.bias[1] = 0
        if block != "project":
            norm.bias[2] = _NEVER


def _a_convolution_and_an_activation(trunk: nn.Module) -> None:
    trunk.depthwise[1].bias.fill_(_NEVER)
    trunk.project[0].weight.zero_()
    trunk.project[1].bias.copy_(trunk.project[1].running_mean.zero_())


def _the_last_map(trunk: nn.Module) -> None:
    trunk.last[1].bias.fill_(_NEVER)


_CASES = MappingProxyType(
    {
        "channels": _some_channels,
        "a convolution and an activation": _a_convolution_and_an_activation,
        "the last map": _the_last_map,
    }
)
_ROUNDED = tuple(form for form in FORMATS if form.weight_bytes == 1)


@pytest.mark.parametrize("silence", _CASES.values(), ids=_CASES.keys())
@pytest.mark.parametrize("form", _ROUNDED, ids=lambda form: form.key)
def test_what_is_always_zero_does_no_harm(
    form: Format,
    silence: Callable[[nn.Module], None],
    classifier: Classifier,
    contract: Contract,
    images: np.ndarray,
    tmp_path: Path,
) -> None:
    packages = {"onnx": "onnxruntime", "coreml": "coremltools", "tflite": "litert_torch"}
    pytest.importorskip(packages[form.family], reason=f"needs the {form.family} group")
    changed = copy.deepcopy(classifier)
    silence(changed.trunk)
    path = tmp_path / f"file{form.suffix}"
    Conversions(changed, contract, images).write(form, path)
    embed_contract(path, contract)
    reference = reference_session(changed, contract).predict(images)
    answers = open_model(path).predict(images)
    verdict = verify_file(path, form, contract, answers, reference, 2_600)
    assert verdict.faults == ()
    assert verdict.comparison.cam < 0.1
