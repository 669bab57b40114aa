"""The graph of a torch module, traced without computing anything."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp, TensorMetadata

from benchmarks.flops.graph import Graph, Step, without_rounding
from distill.models import Classifier, build_classifier

# What looks at a tensor in another way, or hands it on as it is, in evaluation.
_VIEWS = ("flatten", "Flatten", "view", "reshape", "Dropout", "Identity", "StochasticDepth")


def network_graph(architecture: str, classes: int, size: int) -> Graph:
    """Returns the graph of a classifier as it is trained, for one image of `size` pixels squared.

    Args:
        architecture: torchvision's name.
        classes: K.
        size: side of the input.

    Raises:
        InputError: the name is unknown.
    """
    with torch.device("meta"):
        classifier = build_classifier(architecture, classes).eval()
    return module_graph(classifier, size)


def module_graph(classifier: Classifier, size: int) -> Graph:
    """Returns the graph of a classifier's trunk, average and head, for one image."""
    plain = copy.deepcopy(classifier).to("meta").eval()
    whole = nn.Sequential(
        plain.trunk, nn.AdaptiveAvgPool2d(1), nn.Flatten(1), plain.dropout, plain.classifier
    )
    traced = fx.symbolic_trace(whole)
    with torch.no_grad():
        ShapeProp(traced).propagate(torch.empty(1, 3, size, size, device="meta"))
    nodes = [node for node in traced.graph.nodes if _shapes(node)]
    sizes = {node.name: 4 * sum(map(math.prod, _shapes(node))) for node in nodes}
    steps, sizes = without_rounding(list(_steps(traced, nodes)), sizes, _VIEWS)
    (last,) = (node for node in traced.graph.nodes if node.op == "output")
    return Graph(
        steps=steps,
        sizes=sizes,
        inputs=tuple(node.name for node in nodes if node.op == "placeholder"),
        outputs=tuple(source.name for source in last.all_input_nodes),
        parameters=sum(value.numel() for value in whole.parameters()),
    )


def _steps(traced: fx.GraphModule, nodes: Sequence[fx.Node]) -> Iterator[Step]:
    """The operators on tensors; what asks for a shape is none."""
    for node in nodes:
        if node.op in ("placeholder", "output"):
            continue
        reads = tuple(source.name for source in node.all_input_nodes if _shapes(source))
        module = traced.get_submodule(str(node.target)) if node.op == "call_module" else None
        values = sum(map(math.prod, _shapes(node)))
        macs = normalised = 0
        if isinstance(module, nn.Conv2d | nn.Linear):
            macs = values * module.weight[0].numel()
        elif isinstance(module, nn.BatchNorm2d):
            normalised = values
        yield Step(_kind(node, module), reads, (node.name,), macs, normalised)


def _kind(node: fx.Node, module: nn.Module | None) -> str:
    if module is not None:
        return type(module).__name__
    return str(getattr(node.target, "__name__", node.target))


def _shapes(node: fx.Node) -> list[tuple[int, ...]]:
    """Of the tensor that a node puts out, or of each in a tuple; none of anything else."""
    found: list[tuple[int, ...]] = []

    def look(value: Any) -> None:
        if isinstance(value, TensorMetadata):
            found.append(tuple(value.shape))
        elif isinstance(value, tuple | list):
            for each in value:
                look(each)

    look(node.meta.get("tensor_meta", ()))
    return found
