"""Mixed precision: which operations of a graph stay in float when some convolutions do.

One rule for the graphs of torch, TFLite and ONNX alike. A convolution is in float where its torch
module is named. An operation without a matrix of weights follows what it reads: it is in float
where all of its inputs are computed in float; padding follows the convolution that reads it. Biases
are corrected as if a tensor were rounded unless it is computed in float and read in float only.
TFLite and Core ML round it for its int8 readers alone, and Core ML rounds before every addition and
product, so there they know a little more rounding than the file has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from torch import fx, nn

from runtimes.errors import InputError


@dataclass(frozen=True)
class Step:
    """An operation of a graph.

    Attributes:
        name: of the operation, unique in its graph.
        layer: torch module's name in the trunk, if it is a convolution or a linear layer.
        inputs: names of the operations or tensors that it reads, constants left out.
        outputs: names that others read it by.
        is_padding: whether it only adds zeros for the convolution after it.
    """

    name: str
    layer: str | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    is_padding: bool = False


def in_float(steps: Sequence[Step], layers: Collection[str]) -> frozenset[str]:
    """Returns the names of the steps that are computed in float.

    Args:
        steps: in the order of execution.
        layers: convolutions that are left in float.
    """
    if not layers:
        return frozenset()
    found: set[str] = set()
    tensors: set[str] = set()
    for step in steps:
        follows = step.layer is None and bool(step.inputs) and tensors.issuperset(step.inputs)
        if step.layer in layers or follows:
            found.add(step.name)
            tensors.update(step.outputs)
    for step in steps:
        if step.is_padding:
            found.discard(step.name)
            readers = {each.name for each in steps if set(step.outputs) & set(each.inputs)}
            if readers and readers <= found:
                found.add(step.name)
    return frozenset(found)


def trunk_steps(trunk: fx.GraphModule) -> list[Step]:
    """Returns the operations of a traced trunk, called after their nodes."""
    steps = []
    for node in trunk.graph.nodes:
        if node.op in ("placeholder", "get_attr", "output"):
            continue
        module = trunk.get_submodule(str(node.target)) if node.op == "call_module" else None
        layer = str(node.target) if isinstance(module, nn.Conv2d | nn.Linear) else None
        inputs = tuple(each.name for each in node.all_input_nodes if each.op != "get_attr")
        steps.append(Step(node.name, layer, inputs, (node.name,)))
    return steps


def exact_nodes(trunk: fx.GraphModule, computed: Collection[str]) -> frozenset[str]:
    """Returns the nodes whose values are not rounded: computed in float, and read in float only."""
    return frozenset(
        node.name
        for node in trunk.graph.nodes
        if node.name in computed
        and all(user.name in computed or user.op == "output" for user in node.users)
    )


def check_layers(trunk: nn.Module, layers: Iterable[str]) -> None:
    """Checks that convolutions have these names.

    Raises:
        InputError: a name that no convolution has.
    """
    known = [name for name, each in trunk.named_modules() if isinstance(each, nn.Conv2d)]
    for layer in layers:
        if layer not in known:
            raise InputError(
                f"no convolution of this network is called '{layer}', so it cannot be left in "
                f"float. Its convolutions: {', '.join(known)}."
            )
