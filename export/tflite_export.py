"""TFLite files of a deployable module: fp32, fp16 weights, and static int8 with a float head."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from export.deployable import Deployable
from export.tflite_names import TRUNK_SCOPE, name_tensors
from runtimes.contract import INPUT_NAME

_TRUNK = f"^{TRUNK_SCOPE}"


def convert_float(deployable: Deployable, size: int) -> bytes:
    """Converts to a float32 .tflite of batch 1.

    Args:
        deployable: channels last, float32.
        size: S, side of the input in pixels.

    Returns:
        The flatbuffer; input `image` (1, S, S, 3), outputs `probabilities`, `cam`, `unknown`.
    """
    import litert_torch

    example = torch.zeros(1, size, size, 3)
    converted = litert_torch.convert(_NamedOutputs(deployable), sample_kwargs={INPUT_NAME: example})
    content: bytes = converted.model_content()
    return name_tensors(content, _parameters(deployable))


class _NamedOutputs(torch.nn.Module):
    """Outputs as a dict, from whose keys the signature takes its names."""

    def __init__(self, deployable: Deployable) -> None:
        super().__init__()
        self.deployable = deployable

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return self.deployable(image)._asdict()


def half_weights(content: bytes) -> bytes:
    """Stores the weights of the convolutions in float16; computation is the runtime's choice."""
    config = {
        "weight_tensor_config": {"num_bits": 16, "dtype": "FLOAT"},
        "compute_precision": "FLOAT",
        "explicit_dequantize": True,
    }
    rules = [_rule(_TRUNK, "float_casting", config)]
    return _quantize(content, rules, None)


def quantize_static(content: bytes, images: np.ndarray) -> bytes:
    """Quantizes the trunk to int8, per output channel for weights; borders and head stay float32.

    Args:
        content: a float model from `convert_float`.
        images: calibration images, uint8 (M, S, S, 3).
    """
    rules = [_rule(_TRUNK, "min_max_uniform_quantize", _INT8)]
    return _quantize(content, rules, images)


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


def _rule(scope: str, algorithm: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"regex": scope, "operation": "*", "algorithm_key": algorithm, "op_config": config}


def _quantize(content: bytes, rules: list[dict[str, Any]], images: np.ndarray | None) -> bytes:
    from ai_edge_quantizer import quantizer

    work = quantizer.Quantizer(bytearray(content), rules)
    ranges = None
    if images is not None:
        samples = [{INPUT_NAME: image[None].astype(np.float32)} for image in images]
        ranges = work.calibrate({"serving_default": samples}, num_threads=torch.get_num_threads())
    result = work.quantize(ranges, enable_progress_report=False)
    return bytes(result.quantized_model)


def _parameters(deployable: Deployable) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy() for name, value in deployable.named_parameters()}
