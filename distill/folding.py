"""Folds the BatchNorms of a network that only answers into its convolutions."""

from __future__ import annotations

import copy

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norm(trunk: nn.Module) -> fx.GraphModule:
    """Returns a copy of `trunk` in which each BatchNorm after a convolution is part of it.

    w' = w·γ/√(σ² + ε) and b' = (b − μ)·γ/√(σ² + ε) + β per output channel. A BatchNorm that does
    not follow a convolution directly (DenseNet's first of each layer) stays as it is.
    """
    graph_module = fx.symbolic_trace(copy.deepcopy(trunk).eval())
    modules = dict(graph_module.named_modules())
    for node in list(graph_module.graph.nodes):
        norm = module_of(node, modules)
        if not isinstance(norm, nn.BatchNorm2d):
            continue
        source = node.args[0]
        convolution = module_of(source, modules)
        if not isinstance(convolution, nn.Conv2d) or len(source.users) != 1:
            continue
        fused = fuse_conv_bn_eval(convolution, norm)
        replace_module(graph_module, source.target, fused)
        modules[source.target] = fused
        node.replace_all_uses_with(source)
        graph_module.graph.erase_node(node)
    graph_module.graph.lint()
    graph_module.delete_all_unused_submodules()
    graph_module.recompile()
    return graph_module


def module_of(node: object, modules: dict[str, nn.Module]) -> nn.Module | None:
    """The module that a node of a traced graph calls, or None if it calls none."""
    if isinstance(node, fx.Node) and node.op == "call_module" and isinstance(node.target, str):
        return modules.get(node.target)
    return None


def replace_module(root: nn.Module, name: str, module: nn.Module) -> None:
    """Puts `module` where the dotted `name` stands in `root`."""
    parent, _, leaf = name.rpartition(".")
    setattr(root.get_submodule(parent), leaf, module)
