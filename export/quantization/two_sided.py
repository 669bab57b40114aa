"""Exact and rounded values side by side, as they run through a traced trunk."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from torch import fx, nn

FUSED = (nn.ReLU, nn.ReLU6)  # part of the operation before them in every runtime


@dataclass(frozen=True)
class Sides:
    """Both values of a node of the graph."""

    exact: Any
    rounded: Any


def traced_copy(trunk: nn.Module) -> fx.GraphModule:
    """Returns a traced copy in which nothing writes over a value that is looked at afterwards."""
    traced = fx.symbolic_trace(copy.deepcopy(trunk))
    for module in traced.modules():
        if hasattr(module, "inplace"):
            setattr(module, "inplace", False)  # noqa: B010
    return traced


def side_of(values: Any, side: str) -> Any:
    """Picks one side, "exact" or "rounded", of all `Sides` in nested arguments."""

    def pick(value: Any) -> Any:
        return getattr(value, side) if isinstance(value, Sides) else value

    return fx.node.map_aggregate(values, pick)
