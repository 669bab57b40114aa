"""Which layer loses what: signal-to-quantization-noise ratios by torch module.

Each layer is rounded alone and its noise is measured at its own output and at the logits, so that
a file that went wrong can be traced to a module by its name. What is wrong by the same amount on
every image is left out, since bias correction takes it away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from export.deployable import Deployable
from export.quantization.bias_correction import Rounding
from export.quantization.two_sided import FUSED, Sides, side_of, traced_copy

_WITHOUT_NUMBERS = (nn.Dropout, nn.Identity, nn.ReLU, nn.ReLU6)


@dataclass(frozen=True)
class LayerNoise:
    """What rounding one layer does, all others exact; ratios in dB, infinite without noise.

    Attributes:
        name: of the torch module in the trunk, or of the operation in its graph.
        kind: class of the module, or name of the function.
        own: 10·log10 of signal over noise power at the layer's output.
        logits: the same at the logits, about their mean over the classes.
        together: at the layer's output with all layers before it rounded too.
    """

    name: str
    kind: str
    own: float
    logits: float
    together: float

    def to_json(self) -> dict[str, Any]:
        """Plain values; an infinite ratio as None."""
        return {
            key: value if not isinstance(value, float) or math.isfinite(value) else None
            for key, value in vars(self).items()
        }


@dataclass(frozen=True)
class Sensitivity:
    """Noise of every layer in the order of the network, and of all together at the logits."""

    layers: tuple[LayerNoise, ...]
    logits: float
    images: int


def measure_sensitivity(
    deployable: Deployable,
    images: np.ndarray,
    rounding: Rounding,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Sensitivity:
    """Rounds every layer alone, and all together, on calibration images.

    Args:
        deployable: its trunk can be traced by torch.fx.
        images: uint8 (M, S, S, 3).
        rounding: of a format; its biases are taken as exact.
        advance: called with the layers done and their number.
    """
    trunk = traced_copy(deployable.trunk)
    pixels = deployable.trunk_input(images)
    layers = stored_tensors(trunk)

    def logits(last_map: Tensor) -> Tensor:
        maps = F.conv2d(last_map, deployable.class_weight)
        found = maps.mean(dim=(2, 3)) + deployable.class_bias
        return found - found.mean(dim=1, keepdim=True)

    def run(chosen: Collection[str]) -> tuple[dict[str, float], float]:
        work = _Rounded(trunk, rounding, layers, chosen)
        sides = work.run(pixels)
        return work.noise, decibels(logits(sides.exact), logits(sides.rounded))

    with torch.no_grad():
        together, all_logits = run([layer.name for layer in layers])
        found = []
        for number, layer in enumerate(layers, start=1):
            own, at_logits = run([layer.name])
            noise = LayerNoise(
                layer.name, layer.kind, own[layer.name], at_logits, together[layer.name]
            )
            found.append(noise)
            advance(number, len(layers))
    return Sensitivity(tuple(found), all_logits, len(images))


def decibels(exact: Tensor, rounded: Tensor, *, corrected: bool = True) -> float:
    """Returns 10·log10(Σ exact² / Σ error²); infinite where nothing differs.

    Args:
        exact: (N, C, …).
        rounded: the same shape.
        corrected: whether a corrected bias makes the mean error of each channel good, which is
            then taken off first.
    """
    error = (exact - rounded).double()
    if corrected:
        error = error - error.mean(dim=[0, *range(2, error.ndim)], keepdim=True)
    noise = float(error.pow(2).sum())
    signal = float(exact.double().pow(2).sum())
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf


@dataclass(frozen=True)
class StoredTensor:
    """A value that a runtime stores.

    Attributes:
        name: of the layer, as in `LayerNoise`.
        kind: likewise.
        first: node of the trunk that computes it.
        last: node whose value it is: the ReLU that is part of the layer, or `first`.
    """

    name: str
    kind: str
    first: str
    last: str


def stored_tensors(trunk: fx.GraphModule) -> list[StoredTensor]:
    """Returns what a runtime stores of a traced trunk, in the order of the network."""
    found = []
    for node in trunk.graph.nodes:
        module = trunk.get_submodule(str(node.target)) if node.op == "call_module" else None
        if node.op not in ("call_module", "call_function", "call_method"):
            continue
        if isinstance(module, _WITHOUT_NUMBERS):
            continue
        users = list(node.users)
        fused = len(users) == 1 and _is_fused(trunk, users[0])
        name = str(node.target) if module is not None else node.name
        kind = type(module).__name__ if module is not None else function_name(node)
        last = users[0].name if fused else node.name
        found.append(StoredTensor(name, kind, node.name, last))
    return found


def _is_fused(trunk: fx.GraphModule, node: fx.Node) -> bool:
    return node.op == "call_module" and isinstance(trunk.get_submodule(str(node.target)), FUSED)


def function_name(node: fx.Node) -> str:
    """Returns what an operation without a module is called."""
    return str(getattr(node.target, "__name__", node.target))


class _Rounded(fx.Interpreter):
    """Carries the exact and the rounded value of every node; they are one object until they part.

    Attributes:
        noise: layer name to the ratio at its output, in dB, for the chosen layers.
    """

    def __init__(
        self,
        trunk: fx.GraphModule,
        rounding: Rounding,
        layers: Sequence[StoredTensor],
        chosen: Collection[str],
    ) -> None:
        super().__init__(trunk)
        self.noise: dict[str, float] = {}
        self._rounding = rounding
        self._first = {layer.first for layer in layers if layer.name in chosen}
        self._last = {layer.last: layer.name for layer in layers if layer.name in chosen}

    def run_node(self, n: fx.Node) -> Any:
        if n.op in ("placeholder", "get_attr"):
            value = super().run_node(n)
            return Sides(value, value)
        args, keywords = self.fetch_args_kwargs_from_env(n)
        accurate, approximate = (side_of((args, keywords), side) for side in ("exact", "rounded"))
        if n.op == "output":
            return args[0]
        run = getattr(self, n.op)
        exact = run(n.target, *accurate)
        same = n.name not in self._first and _same((args, keywords))
        rounded = exact if same else self._computed(n, run, approximate)
        if n.name in self._last and isinstance(exact, Tensor):
            rounded = self._rounding.activation(exact, rounded)
            self.noise[self._last[n.name]] = decibels(exact, rounded)
        return Sides(exact, rounded)

    def _computed(self, n: fx.Node, run: Callable[..., Any], values: Any) -> Any:
        module = self.fetch_attr(str(n.target)) if n.op == "call_module" else None
        if n.name not in self._first or not isinstance(module, nn.Conv2d):
            return run(n.target, *values)
        return F.conv2d(
            values[0][0],
            self._rounding.weight(module.weight),
            module.bias,
            module.stride,
            module.padding,
            module.dilation,
            module.groups,
        )


def _same(args: Any) -> bool:
    parted: list[bool] = []

    def look(value: Any) -> Any:
        if isinstance(value, Sides):
            parted.append(value.exact is not value.rounded)
        return value

    fx.node.map_aggregate(args, look)
    return not any(parted)
