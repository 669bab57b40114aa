"""TFLite files of a deployable module: fp32, fp16 weights, and static int8 with a float head."""

from __future__ import annotations

import gc
import re
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch

from export.deployable import Deployable
from export.quantization.activation_ranges import measure_ranges
from export.quantization.aware.sites import LearnedRanges
from export.quantization.aware.steps import PIXELS
from export.quantization.float_layers import Step, in_float
from export.quantization.range_estimators import DEFAULT_ESTIMATOR
from export.tflite_names import (
    INPUT_SCOPE,
    TRUNK_SCOPE,
    module_of,
    name_tensors,
    operations,
)
from export.tflite_parameters import with_parameters
from export.tflite_pixels import take_bytes
from runtimes.contract import INPUT_NAME

Rule = dict[str, Any]


def convert(deployable: Deployable, size: int) -> bytes:
    """Converts to a float32 .tflite of batch 1.

    Args:
        deployable: channels last, float32.
        size: S, side of the input in pixels.

    Returns:
        The flatbuffer; input `image` (1, S, S, 3), outputs `probabilities`, `cam`, `unknown`.
    """
    import litert_torch

    _drop_jax_callbacks()
    example = torch.zeros(1, size, size, 3)
    module = _NamedOutputs(deployable.out_of_place())
    converted = litert_torch.convert(module, sample_kwargs={INPUT_NAME: example})
    return name_tensors(converted.model_content(), _parameters(deployable))


def _drop_jax_callbacks() -> None:
    """Takes away what jax, which the converter brings, runs after each garbage collection.

    Python discards what is raised there, a KeyboardInterrupt too, so that Ctrl-C would be lost.
    The callback frees device buffers of jax, of which conversions leave none behind.
    """
    gc.callbacks[:] = [
        each for each in gc.callbacks if not (each.__module__ or "").startswith("jax")
    ]


def convert_again(content: bytes, old: Deployable, new: Deployable, size: int) -> bytes:
    """Returns what `convert` gives for a network with other weights and biases, sooner if it can.

    Args:
        content: what `convert` gave for `old`.
        old: channels last, float32.
        new: the same trunk with other numbers in its convolutions.
        size: S, side of the input in pixels.
    """
    exchanged = with_parameters(content, _parameters(old), _parameters(new))
    return convert(new, size) if exchanged is None else exchanged


def _parameters(deployable: Deployable) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy() for name, value in deployable.named_parameters()}


class _NamedOutputs(torch.nn.Module):
    """Outputs as a dict, from whose keys the signature takes its names."""

    def __init__(self, deployable: Deployable) -> None:
        super().__init__()
        self.deployable = deployable
        self.eval()

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return self.deployable(image)._asdict()


def half_weights(content: bytes, float_layers: Collection[str] = ()) -> bytes:
    """Stores the weights of the trunk in float16; computation is the runtime's choice.

    Args:
        content: a float model from `convert`.
        float_layers: convolutions whose weights stay in float32.
    """
    kept = [step.name for step in _steps(content) if step.layer in float_layers]
    rules = [_rule(_TRUNK, "float_casting", _HALF_WEIGHTS), *_unchanged(kept)]
    return _quantize(content, rules, None)


def quantize_static(
    content: bytes,
    images: np.ndarray,
    estimator: str = DEFAULT_ESTIMATOR,
    float_layers: Collection[str] = (),
    learned: LearnedRanges | None = None,
) -> bytes:
    """Quantizes the trunk to int8, per output channel for weights; the head computes in float32.

    The head's weights are stored as int8 too, per output channel, and turned into float32 before
    they are used. Pixels go in as bytes, see `tflite_pixels`; the outputs are float32.

    Args:
        content: a float model from `convert`.
        images: calibration images, uint8 (M, S, S, 3).
        estimator: of the activations' ranges, see `range_estimators.ESTIMATORS`.
        float_layers: convolutions left in float, see `float_layers`.
        learned: ranges that are taken instead of measured ones.
    """
    if learned is None:
        ranges = measure_ranges(content, images, torch.get_num_threads(), estimator)
    else:
        ranges = _learned(_steps(content), learned)
    kept = in_float(_steps(content), float_layers)
    rules = [_rule(_TRUNK, _TO_INT8, _INT8), *_unchanged(kept), *_stored_as_int8(content)]
    return take_bytes(_quantize(content, rules, ranges))


def _stored_as_int8(content: bytes) -> list[Rule]:
    """Rules for the operations of the head that have weights."""
    return [
        _rule(_by_name(each.outputs[0]), _TO_INT8, _INT8_WEIGHTS, each.kind)
        for each in operations(content)
        if not each.outputs[0].startswith(TRUNK_SCOPE) and module_of(each) is not None
    ]


def _steps(content: bytes) -> list[Step]:
    graph, steps = operations(content), []
    computed = {INPUT_NAME, *(name for each in graph for name in each.outputs)}
    for each in graph:
        output = each.outputs[0]
        module = module_of(each)
        layer = None if module is None else module.removeprefix(TRUNK_SCOPE)
        inputs = tuple(name for name in each.inputs if name in computed)
        steps.append(Step(output, layer, inputs, each.outputs, each.kind == "PAD"))
    return steps


def _learned(steps: Sequence[Step], learned: LearnedRanges) -> dict[str, Any]:
    """Ranges in ai-edge-quantizer's form, in float64, in which its scales come out exactly."""
    trunk = [step for step in steps if step.name.startswith(TRUNK_SCOPE)]
    spans = learned.of_tensors(trunk)
    names = [name for step in steps for name in step.outputs]
    return {
        name: {"min": _scalar(span.low), "max": _scalar(span.high)}
        for name in names
        if name.startswith((INPUT_SCOPE, TRUNK_SCOPE))
        for span in (spans.get(name, PIXELS),)
    }


def _scalar(value: float) -> np.ndarray:
    return np.array([[[[value]]]], np.float64)


_HALF_WEIGHTS = {
    "weight_tensor_config": {"num_bits": 16, "dtype": "FLOAT"},
    "compute_precision": "FLOAT",
    "explicit_dequantize": True,
}
_INT8 = {
    "activation_tensor_config": {
        "num_bits": 8,
        "symmetric": False,
        "granularity": "TENSORWISE",
        "dtype": "INT",
    },
    "weight_tensor_config": {
        "num_bits": 8,
        "symmetric": True,
        "granularity": "CHANNELWISE",
        "dtype": "INT",
    },
    "compute_precision": "INTEGER",
    "explicit_dequantize": False,
}


_INT8_WEIGHTS = {
    "weight_tensor_config": _INT8["weight_tensor_config"],
    "compute_precision": "FLOAT",
    "explicit_dequantize": True,
}
_TO_INT8 = "min_max_uniform_quantize"
_TRUNK = f"^{TRUNK_SCOPE}"


def _rule(
    regex: str, algorithm: str, config: dict[str, Any] | None = None, operation: str = "*"
) -> Rule:
    rule = {"regex": regex, "operation": operation, "algorithm_key": algorithm}
    return rule if config is None else {**rule, "op_config": config}


def _by_name(output: str) -> str:
    """An operation goes by the names of its outputs, each with a ; at its end."""
    return f"^{re.escape(output)};?$"


def _unchanged(outputs: Collection[str]) -> list[Rule]:
    return [_rule(_by_name(output), "no_quantize") for output in sorted(outputs)]


def _quantize(content: bytes, rules: list[Rule], ranges: dict[str, Any] | None) -> bytes:
    """Applies rules of ai-edge-quantizer, of which a later one counts more."""
    from ai_edge_litert.tools import flatbuffer_utils
    from ai_edge_quantizer import quantizer

    work = quantizer.Quantizer(bytearray(content), rules)
    result = work.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    # Weights come appended to the flatbuffer, where another writer of the file loses them.
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(result.quantized_model))
    for buffer in model.buffers:
        if isinstance(buffer.data, bytearray):  # which would be written byte by byte
            buffer.data = np.frombuffer(buffer.data, np.uint8)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
