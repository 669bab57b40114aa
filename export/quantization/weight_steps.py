"""Which whole step each weight becomes, decided once for every file format.

Weights have one scale per output channel, max|w| / 127. Most go to the nearest step.

Depthwise kernels keep their sum: neighbouring pixels are alike, so what such a kernel answers is
mostly its sum times their mean. Rounding nine weights to the nearest step each can leave the sum
off by several steps, and the answer then follows the brightness of the picture, which no bias
corrects. There as many weights as needed go to the other neighbouring step, those first that lie
closest to the middle, until the sum is right to half a step.

A network is converted with its weights on these steps already. A converter that rounds again,
from numbers in float16 perhaps, then finds the same steps as those that the biases were corrected
for; left to itself, Core ML's moves one weight in a hundred to the next step.
"""

from __future__ import annotations

import copy
from collections.abc import Collection

import torch
from torch import Tensor, nn

from export.deployable import Deployable

STEPS = 127


def is_depthwise(weight: Tensor) -> bool:
    """Whether weights (O, I, h, w) are kernels of one channel each."""
    return weight.shape[1] == 1 and weight.shape[2] * weight.shape[3] > 1


def weight_steps(weight: Tensor, scale: Tensor, *, keep_sums: bool = True) -> Tensor:
    """Returns the whole steps of −127 to 127 of weights, in their shape.

    Args:
        weight: (O, I, h, w).
        scale: of one step, (O, 1, 1, 1).
        keep_sums: whether depthwise kernels keep their sums.
    """
    if keep_sums and is_depthwise(weight):
        return _kernel_steps(weight, scale)
    return torch.round(weight / scale).clamp(-STEPS, STEPS)


def _kernel_steps(weight: Tensor, scale: Tensor) -> Tensor:
    """Returns steps whose sum over each kernel is that of the weights (O, 1, h, w).

    A weight that nearest rounding puts at ±127 stays there, so that the largest weight, from which
    file formats take the scale, is what it was.
    """
    exact = (weight / scale).flatten(1)
    nearest = torch.round(exact).clamp(-STEPS, STEPS)
    left = exact - nearest
    missing = torch.round(left.sum(dim=1, keepdim=True))
    movable = nearest.abs() < STEPS
    # The weights that lose least by a step in the wanted direction come first.
    order = torch.where(movable, left * missing.sign(), -torch.inf)
    rank = order.argsort(dim=1, descending=True).argsort(dim=1)
    moved = (rank < missing.abs()) & movable
    return (nearest + moved * missing.sign()).view_as(weight)


def settle_weights(
    deployable: Deployable,
    smallest: int = 0,
    float_layers: Collection[str] = (),
    *,
    keep_sums: bool = True,
    only_depthwise: bool = False,
) -> Deployable:
    """Returns a copy whose trunk's convolutions have their weights on these steps.

    Whatever is converted has to lie on them: biases are corrected for them.

    Args:
        deployable: with float weights.
        smallest: weights of fewer numbers are left alone, where a format leaves them in float.
        float_layers: names of convolutions that are left alone.
        keep_sums: whether depthwise kernels keep their sums.
        only_depthwise: leaves all others between steps.
    """
    trunk = copy.deepcopy(deployable.trunk)
    with torch.no_grad():
        for name, module in trunk.named_modules():
            if not isinstance(module, nn.Conv2d) or module.weight.numel() < smallest:
                continue
            wanted = is_depthwise(module.weight) or not only_depthwise
            if wanted and name not in float_layers:
                scale = channel_scale(module.weight)
                steps = weight_steps(module.weight, scale, keep_sums=keep_sums)
                module.weight.copy_(steps * scale)
    return deployable.with_trunk(trunk)


def channel_scale(weight: Tensor) -> Tensor:
    """The scale max|w| / 127 of each output channel, (O, 1, 1, 1)."""
    largest = weight.abs().amax(dim=(1, 2, 3), keepdim=True)
    return largest.clamp_min(torch.finfo(weight.dtype).tiny) / STEPS
