"""The tensors of a trunk that int8 files round, and the same tensors in the graph of a file."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import fx, nn

from export.quantization.aware.steps import Range
from export.quantization.float_layers import Step
from export.quantization.two_sided import FUSED
from runtimes.errors import InputError

_ADDITIONS = (operator.add, operator.iadd, torch.add)
# They choose among values or leave them as they are, so that they need no steps of their own.
_PASSING = (nn.MaxPool2d, nn.ZeroPad2d, nn.Identity)
_PIXELS = ""


@dataclass(frozen=True)
class Site:
    """A tensor with steps of its own.

    Attributes:
        name: of the convolution's torch module, or of the addition's node.
        first: node that computes it.
        last: the ReLU that is part of it, or `first`.
        inputs: sites that it reads; an empty name is the pixels.
        is_positive: whether it ends in a ReLU or ReLU6.
        largest: 6 behind a ReLU6, else None.
    """

    name: str
    first: str
    last: str
    inputs: tuple[str, ...]
    is_positive: bool = False
    largest: float | None = None


def find_sites(trunk: fx.GraphModule) -> tuple[Site, ...]:
    """Lists the sites of a traced trunk without BatchNorms, in the order of the network.

    Raises:
        InputError: the trunk has an operation that is not rounded alike in all formats.
    """
    found: dict[str, Site] = {}
    of: dict[fx.Node, str] = {}
    for node in trunk.graph.nodes:
        module = trunk.get_submodule(str(node.target)) if node.op == "call_module" else None
        read = tuple(of[each] for each in node.all_input_nodes if each in of)
        if node.op == "placeholder":
            of[node] = _PIXELS
        elif node.op == "output":
            continue
        elif isinstance(module, FUSED) and _is_last_of(node, found.get(read[0])):
            largest = 6.0 if isinstance(module, nn.ReLU6) else None
            site = replace(found[read[0]], last=node.name, is_positive=True, largest=largest)
            of[node], found[site.name] = site.name, site
        elif isinstance(module, _PASSING):
            of[node] = read[0]
        elif isinstance(module, nn.Conv2d) or (node.target in _ADDITIONS and len(read) == 2):
            name = str(node.target) if module is not None else node.name
            if name in found:
                raise _unsupported(f"the convolution {name} is used twice")
            of[node], found[name] = name, Site(name, node.name, node.name, read)
        else:
            kind = node.target if module is None else type(module).__name__
            raise _unsupported(f"there is {getattr(kind, '__name__', kind)} ({node.name})")
    return tuple(found.values())


def _is_last_of(node: fx.Node, site: Site | None) -> bool:
    """Whether an activation function follows a site's computation directly and alone."""
    (source,) = node.all_input_nodes
    return site is not None and source.name == site.first and len(source.users) == 1


def _unsupported(what: str) -> InputError:
    return InputError(
        "ranges can be learned for networks of convolutions, ReLU, ReLU6, additions and max "
        f"pooling, such as mobilenet_v2, mnasnet and resnet; in this one {what}. Export it without "
        "fine-tuning; docs/int8.md says what else helps."
    )


@dataclass(frozen=True)
class LearnedRanges:
    """The sites of a trunk, and the range of each by its name."""

    sites: tuple[Site, ...]
    ranges: Mapping[str, Range]

    def of_tensors(self, steps: Sequence[Step]) -> dict[str, Range]:
        """Returns the range of every tensor that a file's trunk computes; pixels have none.

        A convolution is known by its module, an addition by what it reads; any other operation
        (padding, pooling, an activation function) has the range of what it reads.

        Args:
            steps: of the file's trunk in the order of execution.

        Raises:
            ValueError: the graph is another one than the trunk's.
        """
        by_name = {site.name: site for site in self.sites}
        by_inputs = {_pair(site.inputs): site.name for site in self.sites if len(site.inputs) == 2}
        of: dict[str, str] = {}
        for step in steps:
            read = tuple(of.get(name, _PIXELS) for name in step.inputs)
            if step.layer is not None:
                name = step.layer if step.layer in by_name else None
            elif len(read) == 2:
                name = by_inputs.get(_pair(read))
            else:
                name = read[0] if len(read) == 1 else None
            if name is None:
                raise ValueError(f"the operation {step.name} has no counterpart in the trunk")
            of.update(dict.fromkeys(step.outputs, name))
        missing = by_name.keys() - of.values()
        if missing:
            raise ValueError(f"the file does not compute {min(missing)}")
        return {tensor: self.ranges[name] for tensor, name in of.items() if name != _PIXELS}


def _pair(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(names))
