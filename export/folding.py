"""Folds what inference needs no operation of its own for into the convolutions of a trunk."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from distill.torchvision_compat import import_torchvision


def fold_batch_norm(trunk: nn.Module) -> fx.GraphModule:
    """Returns a copy of `trunk` in which each BatchNorm after a convolution is part of it.

    w' = w·γ/√(σ² + ε) and b' = (b − μ)·γ/√(σ² + ε) + β per output channel. A BatchNorm that does
    not follow a convolution directly (DenseNet's first of each layer) stays as it is.
    """
    graph_module = fx.symbolic_trace(copy.deepcopy(trunk).eval())
    modules = dict(graph_module.named_modules())
    for node in list(graph_module.graph.nodes):
        norm = _module_of(node, modules)
        if not isinstance(norm, nn.BatchNorm2d):
            continue
        source = node.args[0]
        convolution = _module_of(source, modules)
        if not isinstance(convolution, nn.Conv2d) or len(source.users) != 1:
            continue
        fused = fuse_conv_bn_eval(convolution, norm)
        _replace(graph_module, source.target, fused)
        modules[source.target] = fused
        node.replace_all_uses_with(source)
        graph_module.graph.erase_node(node)
    graph_module.graph.lint()
    graph_module.delete_all_unused_submodules()
    graph_module.recompile()
    return graph_module


def drop_stochastic_depth(trunk: fx.GraphModule) -> fx.GraphModule:
    """Takes out torchvision's calls that drop whole blocks in training only, in place."""
    stochastic_depth = import_torchvision().ops.stochastic_depth
    for node in list(trunk.graph.nodes):
        if node.target is stochastic_depth and not _argument(node, 3, "training"):
            node.replace_all_uses_with(node.args[0])
            trunk.graph.erase_node(node)
    trunk.recompile()
    return trunk


def _argument(node: fx.Node, place: int, name: str) -> object:
    return node.args[place] if len(node.args) > place else node.kwargs.get(name, True)


def pad_pools_with_zeros(trunk: fx.GraphModule) -> fx.GraphModule:
    """Changes max pooling after a ReLU to pad with zeros instead of minus infinity, in place.

    Nothing is below zero there, so the maximum is the same; but minus infinity has no int8 scale,
    and TFLite has no fast operation that pads with it.
    """
    modules = dict(trunk.named_modules())
    for node in trunk.graph.nodes:
        pool = _module_of(node, modules)
        if not isinstance(pool, nn.MaxPool2d) or pool.padding in (0, (0, 0)) or pool.ceil_mode:
            continue
        if isinstance(_module_of(node.args[0], modules), nn.ReLU | nn.ReLU6):
            padding = pool.padding if isinstance(pool.padding, tuple) else (pool.padding,) * 2
            sides = (padding[1], padding[1], padding[0], padding[0])
            unpadded = nn.MaxPool2d(pool.kernel_size, pool.stride, 0, pool.dilation)
            _replace(trunk, node.target, nn.Sequential(nn.ZeroPad2d(sides), unpadded))
    return fx.symbolic_trace(trunk)


def fold_input_scale(trunk: nn.Module, scale: float) -> nn.Module:
    """Returns a trunk that answers x as `trunk` answers x / `scale`.

    The division goes into the weights of the first convolution, (w / s) ∗ x = w ∗ (x / s), and its
    zero padding stays right because no offset is folded. A trunk that begins with another
    operation, or was not traced, gets the division as an operation; a traced one keeps all names.
    """
    if not isinstance(trunk, fx.GraphModule):
        return nn.Sequential(_Divide(scale), trunk)
    entrance = next(node for node in trunk.graph.nodes if node.op == "placeholder")
    modules = dict(trunk.named_modules())
    readers = [_module_of(node, modules) for node in entrance.users]
    if len(readers) != 1 or not isinstance(readers[0], nn.Conv2d):
        return _divided(copy.deepcopy(trunk), scale)
    with torch.no_grad():
        readers[0].weight.div_(scale)
    return trunk


def _divided(trunk: fx.GraphModule, scale: float) -> fx.GraphModule:
    entrance = next(node for node in trunk.graph.nodes if node.op == "placeholder")
    trunk.add_submodule("input_scale", _Divide(scale))
    with trunk.graph.inserting_after(entrance):
        quotient = trunk.graph.call_module("input_scale", (entrance,))
    entrance.replace_all_uses_with(quotient, lambda user: user is not quotient)
    trunk.recompile()
    return trunk


class _Divide(nn.Module):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels / self.scale


def _module_of(node: object, modules: dict[str, nn.Module]) -> nn.Module | None:
    if isinstance(node, fx.Node) and node.op == "call_module" and isinstance(node.target, str):
        return modules.get(node.target)
    return None


def _replace(root: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(root.get_submodule(parent), leaf, module)
