"""Folds what a phone needs no operation of its own for into the convolutions of a trunk."""

from __future__ import annotations

import torch
from torch import Tensor, fx, nn

from distill.folding import module_of, replace_module


def pad_pools_with_zeros(trunk: fx.GraphModule) -> fx.GraphModule:
    """Changes max pooling after a ReLU to pad with zeros instead of minus infinity, in place.

    Nothing is below zero there, so the maximum is the same; but minus infinity has no int8 scale,
    and TFLite has no fast operation that pads with it.
    """
    modules = dict(trunk.named_modules())
    for node in trunk.graph.nodes:
        pool = module_of(node, modules)
        if not isinstance(pool, nn.MaxPool2d) or pool.padding in (0, (0, 0)) or pool.ceil_mode:
            continue
        if isinstance(module_of(node.args[0], modules), nn.ReLU | nn.ReLU6):
            padding = pool.padding if isinstance(pool.padding, tuple) else (pool.padding,) * 2
            sides = (padding[1], padding[1], padding[0], padding[0])
            unpadded = nn.MaxPool2d(pool.kernel_size, pool.stride, 0, pool.dilation)
            replace_module(trunk, node.target, nn.Sequential(nn.ZeroPad2d(sides), unpadded))
    return fx.symbolic_trace(trunk)


def fold_input_scale(trunk: nn.Module, scale: float) -> nn.Module:
    """Returns a trunk that answers x as `trunk` answers x / `scale`.

    The division goes into the weights of the first convolution, (w / s) ∗ x = w ∗ (x / s), and its
    zero padding stays right because no offset is folded. A trunk that begins with another
    operation, or was not traced, gets the division as an operation.
    """
    if not isinstance(trunk, fx.GraphModule):
        return nn.Sequential(_Divide(scale), trunk)
    entrance = next(node for node in trunk.graph.nodes if node.op == "placeholder")
    modules = dict(trunk.named_modules())
    readers = [module_of(node, modules) for node in entrance.users]
    if len(readers) != 1 or not isinstance(readers[0], nn.Conv2d):
        return nn.Sequential(_Divide(scale), trunk)
    with torch.no_grad():
        readers[0].weight.div_(scale)
    return trunk


class _Divide(nn.Module):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels / self.scale
