"""What an inference costs, counted on a graph of operators, wherever the graph was read from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Step:
    """One operator that is carried out.

    Attributes:
        kind: as the format calls it.
        reads: names of the activations that it reads; its weights are not among them.
        writes: names of those that it writes.
        macs: multiply-accumulates of a convolution or a fully connected layer, else 0.
        normalised: values that a BatchNorm of its own puts out, else 0.
    """

    kind: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    macs: int = 0
    normalised: int = 0


@dataclass(frozen=True)
class Graph:
    """A network for one image.

    Attributes:
        steps: in the order of execution.
        sizes: bytes of every activation, by name.
        inputs: names of the activations that are given.
        outputs: names of those that are kept to the end.
        parameters: numbers in weights, biases and scales of the network, however they are stored.
    """

    steps: tuple[Step, ...]
    sizes: Mapping[str, int]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: int


@dataclass(frozen=True)
class Cost:
    """What one inference of one image takes.

    Attributes:
        macs: multiply-accumulates of the convolutions and fully connected layers.
        normalised: values that BatchNorms put out; 0 where they are folded into convolutions.
        parameters: see `Graph`.
        peak_activation_bytes: most bytes of activations alive at once, see `peak_bytes`.
        operators: number of operators.
    """

    macs: int
    normalised: int
    parameters: int
    peak_activation_bytes: int
    operators: int

    @property
    def flops(self) -> int:
        """Two floating-point operations a multiply-accumulate, as torch's counter counts."""
        return 2 * self.macs

    @property
    def macs_with_batchnorm(self) -> int:
        """As fvcore counts, and the paper: two more for each value of a BatchNorm."""
        return self.macs + 2 * self.normalised


def cost_of(graph: Graph) -> Cost:
    """Adds up a graph."""
    return Cost(
        macs=sum(step.macs for step in graph.steps),
        normalised=sum(step.normalised for step in graph.steps),
        parameters=graph.parameters,
        peak_activation_bytes=peak_bytes(graph),
        operators=len(graph.steps),
    )


def peak_bytes(graph: Graph) -> int:
    """Most bytes of activations that are alive at once, without weights and scratch memory.

    An activation lives from the operator that writes it (an input, from the start) to the last one
    that reads it (an output, to the end). No operator writes over what it reads, so a runtime that
    does so may need less, and one that plans worse, more.
    """
    last = {name: -1 for name in graph.inputs}
    for position, step in enumerate(graph.steps):
        last.update(dict.fromkeys((*step.reads, *step.writes), position))
    last.update(dict.fromkeys(graph.outputs, len(graph.steps)))
    alive = sum(graph.sizes[name] for name in graph.inputs)
    known = set(graph.inputs)
    peak = alive
    for position, step in enumerate(graph.steps):
        new = [name for name in dict.fromkeys(step.writes) if name not in known]
        known.update(new)
        alive += sum(graph.sizes[name] for name in new)
        peak = max(peak, alive)
        gone = {name for name in (*step.reads, *step.writes) if last[name] == position}
        alive -= sum(graph.sizes[name] for name in gone)
    return peak


def without_rounding(
    steps: Sequence[Step], sizes: Mapping[str, int], kinds: Collection[str]
) -> tuple[tuple[Step, ...], dict[str, int]]:
    """Takes out steps that make no tensor of their own: views, and changes to int8 and back.

    ONNX and Core ML write an int8 convolution as float operators between changes of type, which
    their runtimes carry out as one. What an operator writes has then the size of its int8 form.

    Args:
        steps: of the graph.
        sizes: of its activations.
        kinds: of the steps to take out; each reads and writes one activation.
    """
    same: dict[str, str] = {}
    found = dict(sizes)
    kept = []
    for step in steps:
        reads = tuple(same.get(name, name) for name in step.reads)
        if step.kind in kinds:
            same[step.writes[0]] = reads[0]
            found[reads[0]] = min(found[reads[0]], found[step.writes[0]])
        else:
            kept.append(replace(step, reads=reads))
    return tuple(kept), found
