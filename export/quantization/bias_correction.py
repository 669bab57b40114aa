"""Bias correction: what rounded weights shift on average goes back into the biases.

Rounding the weights of a convolution moves the mean of each output channel, because activations
after a ReLU do not average to zero; the shifts add up over fifty layers. They are measured on
calibration images and taken off the biases (Nagel et al., Data-Free Quantization Through Weight
Equalization and Bias Correction, ICCV 2019, section 4.2, the empirical variant).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from export.deployable import Deployable
from export.finite import all_finite
from export.quantization.float_layers import exact_nodes, in_float, trunk_steps
from export.quantization.two_sided import FUSED, Sides, side_of
from export.quantization.weight_steps import channel_scale, weight_steps
from runtimes.errors import GateError


@dataclass(frozen=True)
class Rounding:
    """What a file format leaves of the numbers of a network.

    Attributes:
        weight: of a convolution's weights (O, I, h, w).
        bias: of its biases (O,).
        activation: of an operation's output; gets the exact output first, which sets the range.
    """

    weight: Callable[[Tensor], Tensor]
    bias: Callable[[Tensor], Tensor]
    activation: Callable[[Tensor, Tensor], Tensor]


def exact(values: Tensor) -> Tensor:
    """Leaves float32 as it is."""
    return values


def half(values: Tensor) -> Tensor:
    """Rounds to float16."""
    return values.half().float()


def integer(
    stored: Callable[[Tensor], Tensor] = exact, *, keep_sums: bool = True
) -> Callable[[Tensor], Tensor]:
    """Returns the rounding of weights to int8 with the scale max|w| / 127 per output channel.

    Args:
        stored: how the file keeps scales, and with them the numbers computed from int8.
        keep_sums: whether depthwise kernels keep their sums, see `weight_steps`.
    """

    def rounded(weight: Tensor) -> Tensor:
        scale = channel_scale(weight)
        return stored(weight_steps(weight, scale, keep_sums=keep_sums) * stored(scale))

    return rounded


def small_kept(rounding: Callable[[Tensor], Tensor], smallest: int) -> Callable[[Tensor], Tensor]:
    """Returns a rounding that stores weights of fewer than `smallest` numbers in float16."""
    return lambda weight: (rounding if weight.numel() >= smallest else half)(weight)


def exact_activation(accurate: Tensor, values: Tensor) -> Tensor:
    """Leaves activations in float32."""
    return values


def half_activation(accurate: Tensor, values: Tensor) -> Tensor:
    """Rounds activations to float16."""
    return values.half().float()


def half_activation_(accurate: Tensor, values: Tensor) -> Tensor:
    """Does the same in place, for all images at once, which take much memory."""
    return values.copy_(values.half())


def integer_activation(accurate: Tensor, values: Tensor) -> Tensor:
    """Rounds activations to 8 bits over the range of the exact ones, zero included."""
    low = accurate.amin().clamp_max(0.0)
    scale = ((accurate.amax().clamp_min(0.0) - low) / 255).clamp_min(1e-12)
    zero_point = torch.round(-low / scale)
    steps = (values / scale).add_(zero_point).round_().clamp_(0, 255)
    return steps.sub_(zero_point).mul_(scale)


def correct_biases(
    deployable: Deployable,
    images: np.ndarray,
    rounding: Rounding,
    float_layers: Collection[str] = (),
    float_nodes: Collection[str] = (),
) -> Deployable:
    """Returns a copy with corrected biases in the trunk; the weights stay as they are.

    The trunk is run once, operation by operation, exactly and with rounded numbers side by side;
    each convolution is corrected before the next one sees its output, so that what rounding a bias
    leaves over is made up for further on.

    Args:
        deployable: its trunk can be traced by torch.fx.
        images: calibration images, uint8 (M, S, S, 3); all M are held in memory at once.
        rounding: of the format that the copy will be written in.
        float_layers: convolutions that are not rounded, see `float_layers`.
        float_nodes: operations of the traced trunk that are in float32 with their biases.

    Raises:
        GateError: a convolution meets or makes values that the format cannot store.
    """
    trunk = fx.symbolic_trace(copy.deepcopy(deployable.trunk))
    pixels = deployable.trunk_input(images)
    with torch.no_grad():
        _Correction(trunk, rounding, float_layers, float_nodes).run(pixels)
    return deployable.with_trunk(trunk.eval())


class _Correction(fx.Interpreter):
    """Carries two values for every node and mends each convolution on the way."""

    def __init__(
        self,
        trunk: fx.GraphModule,
        rounding: Rounding,
        float_layers: Collection[str],
        float_nodes: Collection[str],
    ) -> None:
        super().__init__(trunk)
        self.extra_traceback = False  # torch would append its own to the errors raised here
        self._rounding = rounding
        self._float_nodes = float_nodes
        self._computed = in_float(trunk_steps(trunk), float_layers) | frozenset(float_nodes)
        self._exact_nodes = exact_nodes(trunk, self._computed)
        self._lasting: set[int] = set()  # memory that is not a result, and so is not written to

    def run_node(self, n: fx.Node) -> Any:
        if n.op in ("placeholder", "get_attr"):  # pixels are whole numbers: nothing to round
            value = super().run_node(n)
            self._lasting.add(_storage(value))
            return Sides(value, value)
        args, keywords = self.fetch_args_kwargs_from_env(n)
        accurate, approximate = (side_of((args, keywords), side) for side in ("exact", "rounded"))
        module = self.fetch_attr(str(n.target)) if n.op == "call_module" else None
        if isinstance(module, nn.Conv2d):
            weight = module.weight
            if n.name not in self._computed:
                weight = self._rounding.weight(weight)
            stored_bias = exact if n.name in self._float_nodes else self._rounding.bias
            inputs = accurate[0][0], approximate[0][0]
            found = self._convolve(module, weight, stored_bias, *inputs)
            _check_stored(str(n.target), *found)
            return self._kept(n, *found)
        run = getattr(self, n.op)
        if n.op == "output":
            return run(n.target, *accurate)
        return self._kept(n, run(n.target, *accurate), run(n.target, *approximate))

    def _convolve(
        self,
        module: nn.Conv2d,
        weight: Tensor,
        stored_bias: Callable[[Tensor], Tensor],
        accurate: Tensor,
        approximate: Tensor,
    ) -> tuple[Tensor, Tensor]:
        wanted = module(accurate)
        if module.bias is None:
            bias = torch.zeros(module.out_channels)
            module.bias = nn.Parameter(bias, requires_grad=False)
        found = F.conv2d(
            approximate,
            weight,
            None,
            module.stride,
            module.padding,
            module.dilation,
            module.groups,
        )
        shift = wanted.mean(dim=(0, 2, 3)) - found.mean(dim=(0, 2, 3))
        module.bias.copy_(stored_bias(shift))
        return wanted, found.add_(module.bias[:, None, None])

    def _kept(self, n: fx.Node, accurate: Any, approximate: Any) -> Sides:
        """Rounds what a runtime stores; a ReLU is part of the operation before it."""
        fused = all(
            user.op == "call_module" and isinstance(self.fetch_attr(str(user.target)), FUSED)
            for user in n.users
        )
        if isinstance(accurate, Tensor) and not fused and n.name not in self._exact_nodes:
            if _storage(approximate) in self._lasting:
                approximate = approximate.clone()
            approximate = self._rounding.activation(accurate, approximate)
        return Sides(accurate, approximate)


def _storage(value: Any) -> int:
    """Where the numbers of a tensor or of a view of it begin; 0 for anything else."""
    return value.untyped_storage().data_ptr() if isinstance(value, Tensor) else 0


def _check_stored(layer: str, accurate: Tensor, approximate: Tensor) -> None:
    if not all_finite(approximate):
        raise GateError(
            f"the layer {layer} meets values that this format cannot store: its own answers reach "
            f"{float(accurate.abs().max()):.3g} in float32, float16 ends at 65504, and int8 needs "
            "values some thousand times below the end of float32, 3.4e38. Export fp32 for this "
            "network, or train it again with a lower learning rate."
        )
