"""A trunk that computes in float16 but for chosen operations, and one that marks these by name.

Both are for the networks that float16 does not hold everywhere, see `half_range`; the others are
converted as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any

import torch
from torch import fx, nn

MARK = "float32_"
_CALLS = ("call_module", "call_function", "call_method")


def mixed_trunk(
    trunk: nn.Module, float_nodes: Collection[str], tensor_nodes: Collection[str]
) -> fx.GraphModule:
    """Returns a float16 copy that takes and gives float32 and computes some operations in it.

    Args:
        trunk: float32.
        float_nodes: operations of the traced trunk that stay in float32.
        tensor_nodes: operations that put out one tensor.
    """
    traced = fx.symbolic_trace(copy.deepcopy(trunk))
    kept = _grown(traced, float_nodes, tensor_nodes)
    for node in traced.graph.nodes:
        if node.op == "call_module" and node.name not in kept:
            traced.get_submodule(str(node.target)).half()
    for node in list(traced.graph.nodes):
        if node.op in ("placeholder", "get_attr"):
            continue
        wanted = _type(node, kept)
        for source in node.all_input_nodes:
            if source.name in tensor_nodes and _type(source, kept) != wanted:
                with traced.graph.inserting_before(node):
                    cast = traced.graph.call_method("to", (source, wanted))
                node.replace_input_with(source, cast)
    traced.graph.lint()
    traced.recompile()
    return traced


def _type(node: fx.Node, kept: Collection[str]) -> torch.dtype:
    outside = node.op in ("placeholder", "get_attr", "output")
    return torch.float32 if outside or node.name in kept else torch.float16


def _grown(
    trunk: fx.GraphModule, float_nodes: Collection[str], tensor_nodes: Collection[str]
) -> set[str]:
    """Adds what cannot have another type: a tuple's parts, and other uses of the same module."""
    kept = set(float_nodes)
    while True:
        calls = [node for node in trunk.graph.nodes if node.op == "call_module"]
        shared = {node.target for node in calls if node.name in kept and _has_numbers(trunk, node)}
        more = {node.name for node in calls if node.target in shared}
        for node in trunk.graph.nodes:
            if node.name in tensor_nodes or node.op == "output":
                continue
            around = {each.name for each in (node, *node.users)}
            if around & kept:
                more |= around
        if more <= kept:
            return kept
        kept |= more


def _has_numbers(trunk: fx.GraphModule, node: fx.Node) -> bool:
    return bool(trunk.get_submodule(str(node.target)).state_dict())


def with_marked_operations(trunk: nn.Module, nodes: Collection[str]) -> fx.GraphModule:
    """Returns a copy in which some operations are modules whose names begin with `MARK`.

    A converter that keeps the names of modules then says which of its operations they became.
    """
    traced = fx.symbolic_trace(copy.deepcopy(trunk))
    for node in traced.graph.nodes:
        if node.name not in nodes or node.op not in _CALLS:
            continue
        if node.op == "call_module":  # a copy, since the old name would be the one told
            part: nn.Module = copy.deepcopy(traced.get_submodule(str(node.target)))
        else:
            part = _Operation(node.target, node.op == "call_method")
        traced.add_submodule(f"{MARK}{node.name}", part)
        node.op, node.target = "call_module", f"{MARK}{node.name}"
    traced.recompile()
    return traced


class _Operation(nn.Module):
    """A function, or a method of its first argument, as a module."""

    def __init__(self, target: Any, is_method: bool) -> None:
        super().__init__()
        self._target, self._is_method = target, is_method

    def forward(self, *args: Any, **keywords: Any) -> Any:
        if self._is_method:
            return getattr(args[0], self._target)(*args[1:], **keywords)
        return self._target(*args, **keywords)
