"""Automatic mixed precision: the least that has to stay in float for a file to pass its gate.

A value is exact only where what computes it and what reads it are both in float, so convolutions
join in groups, one for each value that a runtime stores. The group that takes most noise off the
logits for its multiply-accumulates comes first. How many groups it takes is decided on written
files and validation images, not on the estimate; then those are put back that the file can do
without.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from distill.metrics import Estimate
from export.quantization.float_layers import exact_nodes, in_float, trunk_steps
from export.quantization.sensitivity import LayerNoise, stored_tensors


@dataclass(frozen=True)
class Trial:
    """A written file with some convolutions in float, beside torch.

    Attributes:
        layers: convolutions in float.
        agreement: share of images with torch's first diagnosis.
        judged_by: that share, or the lower end of its interval where it could be chance.
        balanced_accuracy: the file's minus torch's, as a share of 1, with its 95 % interval.
        divergence: mean KL(torch ‖ file) in nats.
        images: how many it was judged on; fewer where they were enough to refuse it.
        faults: what is outside of the gate; empty where it passes.
    """

    layers: tuple[str, ...]
    agreement: float
    judged_by: float
    balanced_accuracy: Estimate
    divergence: float
    images: int
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """What stays in float, and how that was found.

    Attributes:
        layers: convolutions in float, in the order of the network.
        passed: whether a file with these passes the gate.
        multiply_accumulates: share of the trunk's that they compute.
        trials: in the order they were made.
        format: key of the format whose files were judged.
        images: validation images that judged them.
        seed: of their draw.
        others: a file of every other int8 format with these layers, by key.
    """

    layers: tuple[str, ...]
    passed: bool
    multiply_accumulates: float
    trials: tuple[Trial, ...]
    format: str = ""
    images: int = 0
    seed: int = 0
    others: Mapping[str, Trial] = field(default_factory=dict)

    def faults(self, key: str) -> tuple[str, ...]:
        """What is outside of the gate in files of a format, by its key; empty where it passes."""
        if key in self.others:
            return self.others[key].faults
        return next(trial.faults for trial in self.trials if trial.layers == self.layers)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        trials = [asdict(trial) for trial in self.trials]
        others = {key: asdict(trial) for key, trial in self.others.items()}
        return {**vars(self), "trials": trials, "others": others}


def multiply_accumulates(trunk: fx.GraphModule, pixels: Tensor) -> dict[str, int]:
    """Returns the multiply-accumulates of each convolution for one image.

    Args:
        trunk: traced.
        pixels: (1, 3, S, S).
    """
    ShapeProp(trunk).propagate(pixels)
    found: dict[str, int] = {}
    for node in trunk.graph.nodes:
        module = trunk.get_submodule(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, nn.Conv2d):
            values = math.prod(node.meta["tensor_meta"].shape)
            each = module.weight[0].numel()
            found[str(node.target)] = found.get(str(node.target), 0) + values * each
    return found


def growing_sets(
    trunk: fx.GraphModule, noise: Sequence[LayerNoise], cost: Mapping[str, int]
) -> list[tuple[str, ...]]:
    """Returns sets of convolutions to leave in float, from none to all that brings something.

    Each holds the one before it and the group that then takes most noise power off the logits per
    multiply-accumulate.

    Args:
        trunk: traced.
        noise: of each layer alone.
        cost: multiply-accumulates of each convolution.
    """
    steps, order = trunk_steps(trunk), list(cost)
    power = {layer.name: 10 ** (-layer.logits / 10) for layer in noise}
    stored = stored_tensors(trunk)
    nodes, computing = {node.name: node for node in trunk.graph.nodes}, _computing(trunk)
    found = [_group(nodes, computing, tensor.first, tensor.last) for tensor in stored]
    groups = [group for group in found if group]

    def removed(layers: frozenset[str]) -> float:
        exact = exact_nodes(trunk, in_float(steps, layers))
        return sum(power.get(tensor.name, 0.0) for tensor in stored if tensor.last in exact)

    sets: list[tuple[str, ...]] = [()]
    chosen, gone = frozenset[str](), 0.0
    while left := [group for group in groups if not group <= chosen]:
        gains = {group: removed(chosen | group) - gone for group in left}
        group = max(left, key=lambda each: gains[each] / sum(cost[name] for name in each - chosen))
        if gains[group] <= 0:
            break
        chosen, gone = chosen | group, gone + gains[group]
        sets.append(tuple(name for name in order if name in chosen))
    return sets


def choose(
    sets: Sequence[tuple[str, ...]],
    measure: Callable[[tuple[str, ...], int | None], Trial],
    cost: Mapping[str, int],
) -> Choice:
    """Finds the smallest of growing sets with which a file passes, and takes back what it can.

    The step doubles until a file passes and is then halved, so that n sets need about 2·log₂ n
    files. Last, every group that came in is put back alone, the latest but one first, and stays
    there if the file still passes.

    Args:
        sets: from `growing_sets`; the first is empty.
        measure: writes and judges a file; it is told how many may follow at most, or None
            where nobody can know.
        cost: multiply-accumulates of each convolution.
    """
    trials: dict[tuple[str, ...], Trial] = {}

    def passes(layers: tuple[str, ...], left: int | None) -> bool:
        if layers not in trials:
            trials[layers] = measure(layers, left)
        return not trials[layers].faults

    def choice(layers: tuple[str, ...], passed: bool) -> Choice:
        share = sum(cost[name] for name in layers) / sum(cost.values())
        return Choice(layers, passed, share, tuple(trials.values()))

    low, high, last = -1, 0, len(sets) - 1
    while not passes(sets[high], None if high else 0):
        if high == last:
            best = min(trials.values(), key=lambda trial: trial.divergence)
            return choice(best.layers, passed=False)
        low, high = high, min(max(1, 2 * high), last)
    while high - low > 1:
        middle = (low + high) // 2
        halvings = (high - low - 1).bit_length() - 1
        if passes(sets[middle], halvings + high - 1):
            high = middle
        else:
            low = middle
    layers = sets[high]
    for number in range(high - 1, 0, -1):
        group = set(sets[number]) - set(sets[number - 1])
        fewer = tuple(name for name in layers if name not in group)
        if passes(fewer, number - 1):
            layers = fewer
    return choice(layers, passed=True)


def _group(
    nodes: Mapping[str, fx.Node], computing: Mapping[str, frozenset[str]], first: str, last: str
) -> frozenset[str]:
    """The convolutions that have to be in float for a stored value to be exact."""
    return computing[first].union(*(computing[reader.name] for reader in nodes[last].users))


def _computing(trunk: fx.GraphModule) -> dict[str, frozenset[str]]:
    """For each node the convolution at it, or those that reach it past weightless operations."""
    found: dict[str, frozenset[str]] = {}
    for node in trunk.graph.nodes:
        module = trunk.get_submodule(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, nn.Conv2d):
            found[node.name] = frozenset({str(node.target)})
        elif node.op == "output":
            found[node.name] = frozenset()
        else:
            read = (found[each.name] for each in node.all_input_nodes)
            found[node.name] = frozenset[str]().union(*read)
    return found
