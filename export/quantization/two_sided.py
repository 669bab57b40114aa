"""Exact and rounded values side by side, as they run through a traced trunk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import fx, nn

FUSED = (nn.ReLU, nn.ReLU6)  # part of the operation before them in every runtime


@dataclass(frozen=True)
class Sides:
    """Both values of a node of the graph."""

    exact: Any
    rounded: Any


def side_of(values: Any, side: str) -> Any:
    """Picks one side, "exact" or "rounded", of all `Sides` in nested arguments."""

    def pick(value: Any) -> Any:
        return getattr(value, side) if isinstance(value, Sides) else value

    return fx.node.map_aggregate(values, pick)
