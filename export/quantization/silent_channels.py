"""Channels without weights, which training leaves behind, made fit for a scale per channel."""

from __future__ import annotations

import copy

import torch
from torch import nn

from export.deployable import Deployable

_SMALLEST_SHARE = 3e-5
_SMALLEST_WEIGHT = 1e-8


def lift_silent_channels(deployable: Deployable) -> Deployable:
    """Returns a copy in which every output channel has a weight that is not lost beside its bias.

    A channel whose weights are all zero, or far below its bias, answers with a constant. In int8
    its scale would be zero, and the bias, which is stored in units of that scale times the input's,
    infinite. One weight of each such channel is raised to 3e-5 of the bias: small enough to change
    nothing, and large enough for the bias to fit into 32 bits wherever the input's values span 0.5
    or more (bias / (s_x·s_w) = 127 / (3e-5·s_x) < 2³¹ for s_x > 0.002).
    """
    trunk = copy.deepcopy(deployable.trunk)
    with torch.no_grad():
        for module in trunk.modules():
            if isinstance(module, nn.Conv2d):
                _lift(module)
    return deployable.with_trunk(trunk)


def _lift(convolution: nn.Conv2d) -> None:
    weights = convolution.weight.view(convolution.out_channels, -1)
    largest, place = weights.abs().max(dim=1)
    floor = torch.full_like(largest, _SMALLEST_WEIGHT)
    if convolution.bias is not None:
        floor = torch.maximum(floor, convolution.bias.abs() * _SMALLEST_SHARE)
    for channel in torch.nonzero(largest < floor).flatten():
        weights[channel, place[channel]] = floor[channel]
