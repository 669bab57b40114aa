"""Linear streams: channels that convolutions add up without an activation share one scale well.

A residual network hands a sum from block to block: convolutions without an activation write it,
and further convolutions read it. Nothing on the way is nonlinear, so each channel may be shifted
and scaled as one likes, if all writers w do it and all readers r undo it:

    x' = (x − m)·s,  W_w' = s·W_w,  b_w' = (b_w − m)·s,  W_r' = W_r / s,  b_r' = b_r + Σ W_r·m

Here m is the middle of each channel's range and s makes it as wide as the widest, up to a limit,
so that all channels use all steps of the tensor's one scale. This is cross-layer equalization
(Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019,
section 4.1) with a shift, for the tensors that have no ReLU, where it changes no answer of any
picture.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, fx, nn

from export.deployable import Deployable
from export.quantization.channel_extremes import Extremes, channel_extremes
from export.quantization.equalization import (
    LARGEST_FACTOR,
    by_weight,
    called_once,
    module_of,
)

_BATCH = 16
_ADDITIONS = (operator.add, operator.iadd, torch.add)


@dataclass(frozen=True)
class Stream:
    """Values that additions tie together.

    Attributes:
        values: names of the nodes, convolutions and additions, in the order of execution.
        readers: names of the nodes that read each of them, convolutions all.
        padded: whether a reader adds zeros around it, which a moved channel would turn into
            something else.
    """

    values: tuple[str, ...]
    readers: Mapping[str, tuple[str, ...]]
    padded: bool


def level_streams(deployable: Deployable, images: np.ndarray) -> Deployable:
    """Returns a copy whose linear streams have channels of equal width, centred about zero.

    Args:
        deployable: its trunk can be traced by torch.fx.
        images: calibration images, uint8 (M, S, S, 3).
    """
    trunk = fx.symbolic_trace(copy.deepcopy(deployable.trunk))
    streams = find_streams(trunk)
    with torch.no_grad():
        names = {name for stream in streams for name in stream.values}
        extremes = channel_extremes(deployable, trunk, names, images, batch=_BATCH)
        for stream in streams:
            moved = _centres(trunk, stream, extremes)
            _rewrite(trunk, stream, moved, _factors(stream, moved, extremes))
    return deployable.with_trunk(trunk.eval())


def find_streams(trunk: fx.GraphModule) -> tuple[Stream, ...]:
    """Lists the streams of a trunk that nothing but convolutions write and read."""
    nodes = {node.name: node for node in trunk.graph.nodes}
    members: dict[str, set[str]] = {}
    for node in trunk.graph.nodes:
        if _is_addition(node):
            terms = [each.name for each in node.all_input_nodes]
            joined = {node.name}.union(*(members.get(name, {name}) for name in terms))
        elif _convolution(trunk, node) is not None:
            joined = {node.name}
        else:
            continue
        for name in joined:
            members[name] = joined
    groups = {id(joined): joined for joined in members.values()}.values()
    ordered = (tuple(name for name in nodes if name in joined) for joined in groups)
    own = called_once(trunk)
    found = (_stream(trunk, values, nodes, own) for values in ordered)
    return tuple(stream for stream in found if stream is not None)


def _stream(
    trunk: fx.GraphModule,
    values: tuple[str, ...],
    nodes: Mapping[str, fx.Node],
    own: Collection[str],
) -> Stream | None:
    """Returns the stream of these values, None if anything but the `own` modules touches them."""
    sums = {name for name in values if _is_addition(nodes[name])}
    readers: dict[str, tuple[str, ...]] = {}
    for name in values:
        # A convolution can read one value of the stream and write another.
        readers[name] = tuple(user.name for user in nodes[name].users if user.name not in sums)
        if not nodes[name].users:
            return None
    writers = [name for name in values if name not in sums]
    reading = {name for each in readers.values() for name in each}
    found = {name: _convolution(trunk, nodes[name]) for name in (*writers, *reading)}
    modules = {name: module for name, module in found.items() if module is not None}
    if len(modules) < len(found) or any(str(nodes[name].target) not in own for name in found):
        return None
    if len({modules[name].out_channels for name in writers}) > 1:  # one is added to every channel
        return None
    return Stream(values, readers, padded=any(_pads(modules[name]) for name in reading))


def _is_addition(node: fx.Node) -> bool:
    """Whether a node adds two values of the graph."""
    known = node.op == "call_function" and node.target in _ADDITIONS and not node.kwargs
    return known and len(node.args) == 2 and all(isinstance(term, fx.Node) for term in node.args)


def _convolution(trunk: fx.GraphModule, node: fx.Node) -> nn.Conv2d | None:
    module = module_of(trunk, node)
    return module if isinstance(module, nn.Conv2d) else None


def _pads(module: nn.Conv2d) -> bool:
    return module.padding_mode == "zeros" and module.padding != "valid" and any(module.padding)


def _centres(
    trunk: fx.GraphModule, stream: Stream, extremes: Mapping[str, Extremes]
) -> dict[str, Tensor]:
    """By how much each value of the stream is moved down, (C,): a sum by the sum of its terms."""
    nodes = {node.name: node for node in trunk.graph.nodes}
    moved: dict[str, Tensor] = {}
    for name in stream.values:
        if _is_addition(nodes[name]):
            first, second = nodes[name].args
            assert isinstance(first, fx.Node)
            assert isinstance(second, fx.Node)
            moved[name] = moved[first.name] + moved[second.name]
        else:
            middle = extremes[name].low / 2 + extremes[name].high / 2  # their sum may be infinite
            moved[name] = torch.zeros_like(middle) if stream.padded else middle
    return moved


def _factors(
    stream: Stream, moved: Mapping[str, Tensor], extremes: Mapping[str, Extremes]
) -> Tensor:
    """What each channel of the stream is multiplied by, 1 or more, (C,)."""
    shares = []
    for name in stream.values:
        above, below = extremes[name].high - moved[name], moved[name] - extremes[name].low
        width = torch.maximum(above.abs(), below.abs())
        shares.append(width / width.max().clamp_min(torch.finfo(width.dtype).tiny))
    widest = torch.stack(shares).amax(dim=0)
    factors = 1 / widest.clamp_min(1 / LARGEST_FACTOR)
    return torch.where(widest > 0, factors, 1.0)  # it says the same of every image: leave it


def _rewrite(
    trunk: fx.GraphModule, stream: Stream, moved: Mapping[str, Tensor], factors: Tensor
) -> None:
    """Moves and stretches in the writers of a stream what its readers move and shrink back."""
    nodes = {node.name: node for node in trunk.graph.nodes}
    for name in stream.values:
        writer = _convolution(trunk, nodes[name])
        if writer is not None:
            bias = _bias(writer)
            bias.copy_((bias - moved[name]) * factors)
            writer.weight.mul_(factors[:, None, None, None])
        for reader_name in stream.readers[name]:
            reader = _convolution(trunk, nodes[reader_name])
            assert reader is not None
            _bias(reader).add_(
                (reader.weight.sum(dim=(2, 3)) * by_weight(reader, moved[name])).sum(1)
            )
            reader.weight.div_(by_weight(reader, factors)[:, :, None, None])


def _bias(module: nn.Conv2d) -> Tensor:
    """The bias of a convolution, made if it has none."""
    if module.bias is None:
        bias = torch.zeros(module.out_channels, dtype=module.weight.dtype)
        module.bias = nn.Parameter(bias, requires_grad=False)
    return module.bias
