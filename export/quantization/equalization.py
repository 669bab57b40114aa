"""Cross-layer equalization: channels of very different range share one int8 scale no longer badly.

An activation tensor has one scale for all its channels. A channel that stays far below the largest
one is left with a few of the 255 steps, and the next convolution, whose weights for it are large,
magnifies the error. Such a channel is made larger before the activation function and its weights
smaller by the same factor after it, which changes no answer (Nagel et al., Data-Free Quantization
Through Weight Equalization and Bias Correction, ICCV 2019, section 4.1, with ranges measured on
calibration images instead of derived from weights).

A ReLU6 is no obstacle as long as the larger channel stays below 6: here it reaches 3 at most on the
calibration images. A picture is answered differently where a channel passes twice its largest value
there; the factor is at most 32, so one that was nearly silent has room up to 6 / 32.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, fx, nn

from export.deployable import Deployable
from export.quantization.channel_extremes import channel_extremes

LARGEST_FACTOR = 32.0
_SHARE_OF_SIX = 0.5
_BATCH = 8


@dataclass(frozen=True)
class Pair:
    """A convolution, the ReLU or ReLU6 behind it, and the convolution that alone reads that.

    Attributes:
        first: name of the module whose output channels grow.
        activation: name of the ReLU's node in the graph.
        clips: whether it is a ReLU6.
        second: name of the module whose weights shrink.
    """

    first: str
    activation: str
    clips: bool
    second: str


def equalize(deployable: Deployable, images: np.ndarray) -> Deployable:
    """Returns a copy whose channels, between convolutions, use more of their tensor's range.

    Args:
        deployable: its trunk can be traced by torch.fx.
        images: calibration images, uint8 (M, S, S, 3).
    """
    trunk = fx.symbolic_trace(copy.deepcopy(deployable.trunk))
    pairs = find_pairs(trunk)
    with torch.no_grad():
        names = {pair.activation for pair in pairs}
        found = channel_extremes(deployable, trunk, names, images, batch=_BATCH)
        for pair in pairs:
            _scale(trunk, pair, _factors(found[pair.activation].high, pair.clips))
    return deployable.with_trunk(trunk.eval())


def find_pairs(trunk: fx.GraphModule) -> tuple[Pair, ...]:
    """Lists the pairs of a trunk; a value that anything else reads belongs to none.

    Nor does a convolution that is called more than once.
    """
    found = []
    own = called_once(trunk)
    for node in trunk.graph.nodes:
        activation = _only_user(node)
        second = None if activation is None else _only_user(activation)
        if activation is None or second is None:
            continue
        modules = [module_of(trunk, part) for part in (node, activation, second)]
        if (
            isinstance(modules[0], nn.Conv2d)
            and isinstance(modules[1], nn.ReLU | nn.ReLU6)
            and isinstance(modules[2], nn.Conv2d)
            and {str(node.target), str(second.target)} <= own
        ):
            clips = isinstance(modules[1], nn.ReLU6)
            found.append(Pair(str(node.target), activation.name, clips, str(second.target)))
    return tuple(found)


def called_once(trunk: fx.GraphModule) -> set[str]:
    """Returns the names of the modules that one node calls and that share no weights.

    Only they may be rewritten for what stands around that node.
    """
    calls = Counter(str(node.target) for node in trunk.graph.nodes if node.op == "call_module")
    reads = {str(node.target) for node in trunk.graph.nodes if node.op == "get_attr"}
    tensors = dict(trunk.named_parameters(remove_duplicate=False))
    uses = Counter(id(value) for value in tensors.values())

    def alone(module: str) -> bool:
        own = [name for name in tensors if name.rpartition(".")[0] == module]
        return all(uses[id(tensors[name])] == 1 and name not in reads for name in own)

    return {module for module, count in calls.items() if count == 1 and alone(module)}


def _only_user(node: fx.Node) -> fx.Node | None:
    users = list(node.users)
    return users[0] if len(users) == 1 else None


def module_of(trunk: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    """Returns the module that a node calls, if it calls one."""
    return trunk.get_submodule(str(node.target)) if node.op == "call_module" else None


def _factors(largest: Tensor, clips: bool) -> Tensor:
    """What each channel is multiplied by, 1 or more, (C,)."""
    wanted = largest.max()
    if clips:
        wanted = wanted.clamp(max=6 * _SHARE_OF_SIX)
    factors = wanted / largest.clamp(min=1e-12)
    silent = largest <= 0  # it answers nothing on any image: leave it
    return torch.where(silent, 1.0, factors.clamp(1.0, LARGEST_FACTOR))


def _scale(trunk: fx.GraphModule, pair: Pair, factors: Tensor) -> None:
    first, second = trunk.get_submodule(pair.first), trunk.get_submodule(pair.second)
    assert isinstance(first, nn.Conv2d)
    assert isinstance(second, nn.Conv2d)
    first.weight.mul_(factors[:, None, None, None])
    if first.bias is not None:
        first.bias.mul_(factors)
    second.weight.div_(by_weight(second, factors)[:, :, None, None])


def by_weight(convolution: nn.Conv2d, channels: Tensor) -> Tensor:
    """Returns one number per input channel (C,) in the order of the weights, (O, C / groups).

    The group of an output channel says which inputs it reads.
    """
    each = convolution.out_channels // convolution.groups
    return channels.view(convolution.groups, -1).repeat_interleave(each, dim=0)
