"""Runs a network on calibration images and finds the tensors that float16 cannot hold."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.func import functional_call

from export.deployable import Deployable
from export.quantization.half_range import HEAD, SMALLEST, UNDERFLOW_LIMIT, HalfCheck, HalfTensor
from export.quantization.sensitivity import decibels, function_name
from export.quantization.two_sided import FUSED, traced_copy

_BATCH = 8
_UNDERFLOW_IMAGES = 4


@dataclass(frozen=True)
class Outputs:
    """How large the outputs of operations become.

    Attributes:
        largest: operation to the largest absolute value of each channel (C,).
        shapes: operations that put out whole numbers, such as a tensor's shape.
        images: how many were run.
    """

    largest: dict[str, Tensor]
    shapes: frozenset[str]
    images: int


def watch_outputs(deployable: Deployable, images: np.ndarray) -> Outputs:
    """Runs calibration images and returns how large each operation's output becomes.

    Args:
        deployable: its trunk can be traced by torch.fx.
        images: uint8 (M, S, S, 3).
    """
    work = _Watching(traced_copy(deployable.trunk))
    with torch.no_grad():
        for part in np.array_split(images, max(1, len(images) // _BATCH)):
            answer = deployable.head(work.run(deployable.trunk_input(part)))
            work.see("cam", answer.cam.permute(0, 3, 1, 2))
            work.see("logits", _logits(deployable, answer.cam))
    return Outputs(work.largest, frozenset(work.shapes), len(images))


def check_half(deployable: Deployable, images: np.ndarray, outputs: Outputs) -> HalfCheck:
    """Finds the tensors that float16 cannot hold.

    A lost channel counts where the logits change by more than `UNDERFLOW_LIMIT` allows when all
    lost channels are zero, as they are on a chip without subnormal numbers. The tensors that cost
    most are then taken out, one after the other, until the rest is below the limit.

    Args:
        deployable: in the form that the file gets, since the first weights depend on it.
        images: calibration images, uint8 (M, S, S, 3); the first four are run again.
        outputs: from `watch_outputs` of the same network, in either form.
    """
    trunk = traced_copy(deployable.trunk)
    found = list(_all_tensors(trunk, deployable, outputs))
    overflow = tuple(tensor for tensor in found if tensor.overflows)
    lossy = [tensor for tensor in found if tensor.lost and tensor.node != HEAD]
    few = images[:_UNDERFLOW_IMAGES]
    decibels_lost, underflow = _underflow(deployable, trunk, few, outputs, lossy)
    needed = _float_nodes(trunk, (*overflow, *underflow)) - outputs.shapes
    return HalfCheck(
        tuple(found),
        overflow,
        tuple(tensor for tensor in underflow if tensor not in overflow),
        decibels_lost,
        outputs.images,
        needed,
        frozenset(
            str(node.target)
            for node in trunk.graph.nodes
            if node.op == "call_module" and node.name in needed
        ),
        sum(
            value.numel()
            for node in trunk.graph.nodes
            if node.name in needed
            for value in _stored(trunk, node).values()
        ),
        frozenset(outputs.largest),
    )


def _logits(deployable: Deployable, cam: Tensor) -> Tensor:
    return cam.mean(dim=(1, 2)) + deployable.class_bias


def _all_tensors(
    trunk: fx.GraphModule, deployable: Deployable, outputs: Outputs
) -> Iterator[HalfTensor]:
    for node in trunk.graph.nodes:
        is_module, target = node.op == "call_module", str(node.target)
        kind = type(trunk.get_submodule(target)).__name__ if is_module else function_name(node)
        for name, value in _stored(trunk, node).items():
            full = f"{target}.{name}" if name else target
            yield _measured(full, kind, node.name, True, _channel_maxima(value, 0))
        if node.name in outputs.largest and node.op not in ("placeholder", "get_attr"):
            full = target if is_module else node.name
            yield _measured(full, kind, node.name, False, outputs.largest[node.name])
    for name in ("class_weight", "class_bias"):
        maxima = _channel_maxima(getattr(deployable, name), 0)
        yield _measured(name, "head", HEAD, True, maxima)
    for name in ("cam", "logits"):
        yield _measured(name, "head", HEAD, False, outputs.largest[name])


def _stored(trunk: fx.GraphModule, node: fx.Node) -> dict[str, Tensor]:
    """Numbers that a node brings along, by their name in its module."""
    if node.op == "get_attr":
        owner, _, name = str(node.target).rpartition(".")
        return _floating({"": getattr(trunk.get_submodule(owner), name)})
    if node.op != "call_module":
        return {}
    module = trunk.get_submodule(str(node.target))
    return _floating(dict(module.named_parameters()) | dict(module.named_buffers()))


def _floating(values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in values.items() if value.is_floating_point()}


def _channel_maxima(values: Tensor, channel: int) -> Tensor:
    """Largest absolute value along one axis; a scalar is one channel."""
    low, high = _channel_ends(values, channel)
    return torch.maximum(-low, high)


def _channel_ends(values: Tensor, channel: int) -> tuple[Tensor, Tensor]:
    if values.ndim < 2:
        return values.reshape(-1), values.reshape(-1)
    others = [axis for axis in range(values.ndim) if axis != channel]
    return values.amin(others), values.amax(others)


def _measured(name: str, kind: str, node: str, stored: bool, maxima: Tensor) -> HalfTensor:
    lost = int(_is_lost(maxima).sum())
    return HalfTensor(name, kind, node, stored, float(maxima.max()), len(maxima), lost)


def _is_lost(maxima: Tensor) -> Tensor:
    return (maxima > 0) & (maxima < SMALLEST)


class _Watching(fx.Interpreter):
    """Keeps the largest absolute value of each channel of everything that is computed."""

    def __init__(self, trunk: fx.GraphModule) -> None:
        super().__init__(trunk)
        self.largest: dict[str, Tensor] = {}
        self.shapes: set[str] = set()
        self._ends: dict[str, tuple[Tensor, Tensor]] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, int | torch.Size):
            self.shapes.add(n.name)
        if n.op == "output" or not isinstance(value, Tensor) or not value.is_floating_point():
            return value
        module = self.fetch_attr(str(n.target)) if n.op == "call_module" else None
        if isinstance(module, FUSED):  # a rising function takes ends to ends
            low, high = self._ends[n.all_input_nodes[0].name]
            self._keep(n.name, module(low), module(high))
        else:
            self.see(n.name, value)
        return value

    def see(self, name: str, value: Tensor) -> None:
        """Looks at one value; channels are its second axis."""
        self._keep(name, *_channel_ends(value, 1 if value.ndim > 1 else 0))

    def _keep(self, name: str, low: Tensor, high: Tensor) -> None:
        self._ends[name] = low, high
        maxima = torch.maximum(-low, high)
        before = self.largest.get(name)
        self.largest[name] = maxima if before is None else torch.maximum(before, maxima)


def _underflow(
    deployable: Deployable,
    trunk: fx.GraphModule,
    images: np.ndarray,
    outputs: Outputs,
    lossy: Sequence[HalfTensor],
) -> tuple[float, list[HalfTensor]]:
    """Returns what all lost channels cost the logits in dB, and the tensors that are at risk."""
    pixels = deployable.trunk_input(images)

    def logits(zeroed: Collection[HalfTensor]) -> Tensor:
        last_map = _Zeroed(trunk, outputs, zeroed).run(pixels)
        found = _logits(deployable, deployable.head(last_map).cam)
        return found - found.mean(dim=1, keepdim=True)

    def cost(zeroed: Collection[HalfTensor]) -> float:
        # No bias is corrected for what a chip does with subnormal numbers.
        return decibels(exact, logits(zeroed), corrected=False)

    if not lossy:
        return math.inf, []
    with torch.no_grad():
        exact = logits(())
        together = cost(lossy)
        if together >= UNDERFLOW_LIMIT:
            return together, []
        alone = {tensor: cost((tensor,)) for tensor in lossy}
        rest, found = sorted(lossy, key=alone.__getitem__), []
        while rest and cost(rest) < UNDERFLOW_LIMIT:
            found.append(rest.pop(0))
    return together, found


class _Zeroed(fx.Interpreter):
    """Computes with the lost channels of some tensors set to zero."""

    def __init__(
        self, trunk: fx.GraphModule, outputs: Outputs, zeroed: Collection[HalfTensor]
    ) -> None:
        super().__init__(trunk)
        self._largest = outputs.largest
        self._stored = {tensor.node for tensor in zeroed if tensor.stored}
        self._names = {tensor.name for tensor in zeroed if tensor.stored}
        self._outputs = {tensor.node for tensor in zeroed if not tensor.stored}

    def run_node(self, n: fx.Node) -> Any:
        value = self._with_zeros(n) if n.name in self._stored else super().run_node(n)
        if n.name in self._outputs:
            lost = _is_lost(self._largest[n.name])
            value = value.masked_fill(_along(lost, value, 1 if value.ndim > 1 else 0), 0)
        return value

    def _with_zeros(self, n: fx.Node) -> Any:
        assert isinstance(self.module, fx.GraphModule)
        values = {}
        for name, value in _stored(self.module, n).items():
            full = f"{n.target}.{name}" if name else str(n.target)
            lost = _is_lost(_channel_maxima(value, 0))
            values[name] = (
                value.masked_fill(_along(lost, value, 0), 0) if full in self._names else value
            )
        if n.op == "get_attr":
            return values[""]
        args, keywords = self.fetch_args_kwargs_from_env(n)
        module = self.fetch_attr(str(n.target))
        assert isinstance(module, nn.Module)
        return functional_call(module, values, args, keywords)


def _along(mask: Tensor, value: Tensor, axis: int) -> Tensor:
    if value.ndim == 0:
        return mask[0]
    return mask.view([-1 if i == axis else 1 for i in range(value.ndim)])


def _float_nodes(trunk: fx.GraphModule, at_risk: Collection[HalfTensor]) -> frozenset[str]:
    """Operations that compute, store or read what is at risk."""
    nodes = {node.name: node for node in trunk.graph.nodes}
    found: set[str] = set()
    for tensor in at_risk:
        found.add(tensor.node)
        if tensor.node in nodes and (not tensor.stored or nodes[tensor.node].op == "get_attr"):
            readers = nodes[tensor.node].users
            found |= {HEAD if user.op == "output" else user.name for user in readers}
    return frozenset(found)
