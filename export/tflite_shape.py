"""The shape of an int8 .tflite: which of its operators cost time that no phone has to spend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from export.deployable import HEAD_WEIGHT
from export.tflite_names import INPUT_SCOPE, TRUNK_SCOPE, Operation, module_of, operations
from runtimes.contract import INPUT_NAME

_CHANGES_OF_TYPE = ("QUANTIZE", "DEQUANTIZE")
# What every runtime takes and returns; the browser's refuses int8.
_BORDER_TYPES = ("FLOAT32", "INT32", "UINT8")


@dataclass(frozen=True)
class Finding:
    """An operator, or a tensor at the border, that should not be as it is.

    Attributes:
        operator: its kind, or the tensor's name.
        position: in the order of execution; None for a tensor at the border.
        module: torch module of the operator with weights that it belongs to or comes after, as
            `trunk/1.conv.0.0`; before the first of them, that one.
        fault: what is wrong with it.
        remedy: what to change.
        avoidable: whether no network can need it, so that its file is refused. The others may be
            of the network's own making: a channel shuffle transposes.
    """

    operator: str
    position: int | None
    module: str
    fault: str
    remedy: str
    avoidable: bool

    def __str__(self) -> str:
        where = "" if self.position is None else f" (operator {self.position})"
        return f"{self.operator}{where} by {self.module}: {self.fault}; {self.remedy}"


def shape_findings(content: bytes) -> list[Finding]:
    """Returns what keeps an int8 model from its best shape; nothing for a good one.

    A good one has bytes or floats at its borders, bytes that become int8 at the entrance, a change
    of type before the float head, no operation of its own for normalisation, and no change of
    layout. Weights of the head that are stored as int8 may be turned into float32. What of the
    trunk is in float all the same, `float_fallback` says.

    Args:
        content: from `export.tflite_export.quantize_static`, with tensors named after modules.
    """
    graph = _Graph(content)
    return [
        *_borders(graph),
        *_normalisation(graph),
        *_transposes(graph),
        *_changes_of_type(graph),
    ]


class _Graph:
    """Operators with the types of their tensors and the modules that they belong to."""

    def __init__(self, content: bytes) -> None:
        self.operators = operations(content)
        self.types, self.borders = _tensors(content)
        self.layers = [module_of(operator) for operator in self.operators]
        self.writer = {name: op for op in self.operators for name in op.outputs}
        computing = [i for i, op in enumerate(self.operators) if not self.turns_a_constant(op)]
        heads = (i for i in computing if self.layers[i] == HEAD_WEIGHT)
        self.head = next(heads, len(self.operators))
        weighted = (i for i in computing if self.layers[i] is not None)
        self.first = next(weighted, len(self.operators))

    def turns_a_constant(self, operator: Operation) -> bool:
        """Whether it only gives a constant another type, which no inference has to wait for."""
        source = operator.inputs[0]
        return operator.kind == "DEQUANTIZE" and source != INPUT_NAME and source not in self.writer

    def module(self, position: int) -> str:
        """The last module with weights that an operator's values come from, else the first one."""
        sources = [self.operators[position]]
        while sources:
            operator = sources.pop()
            layer = module_of(operator)
            if layer is not None:
                return layer
            sources += [self.writer[name] for name in operator.inputs if name in self.writer]
        return next(filter(None, self.layers), "no module with weights")

    def finding(self, position: int, fault: str, remedy: str, avoidable: bool) -> Finding:
        kind = self.operators[position].kind
        return Finding(kind, position, self.module(position), fault, remedy, avoidable)

    def where(self, wanted: Callable[[Operation], bool]) -> Iterator[tuple[int, Operation]]:
        return ((i, op) for i, op in enumerate(self.operators) if wanted(op))


def _borders(graph: _Graph) -> Iterator[Finding]:
    for name in graph.borders:
        kind = graph.types[name]
        if kind not in _BORDER_TYPES:
            ends = 0 if name == INPUT_NAME else len(graph.operators) - 1
            fault = f"is {kind}, which the browser's runtime refuses"
            remedy = f"let it be one of {', '.join(_BORDER_TYPES)}"
            yield Finding(name, None, graph.module(ends), fault, remedy, True)


def _normalisation(graph: _Graph) -> Iterator[Finding]:
    for position, operator in enumerate(graph.operators[: graph.first]):
        if operator.kind not in (*_CHANGES_OF_TYPE, "PAD"):
            yield graph.finding(
                position,
                f"computes {operator.outputs[0]} before the first convolution",
                "fold the scale into its weights, and the offset into the type of the input",
                operator.outputs[0].startswith(INPUT_SCOPE),
            )


def _transposes(graph: _Graph) -> Iterator[Finding]:
    for position, operator in graph.where(lambda op: op.kind == "TRANSPOSE"):
        yield graph.finding(
            position,
            f"changes the layout to {operator.outputs[0]}",
            "keep channels last up to the outputs",
            not operator.outputs[0].startswith(TRUNK_SCOPE),
        )


def _changes_of_type(graph: _Graph) -> Iterator[Finding]:
    for position, operator in graph.where(lambda op: op.kind in _CHANGES_OF_TYPE):
        if graph.turns_a_constant(operator):
            continue
        source = graph.writer.get(operator.inputs[0])
        if (
            source is not None
            and source.kind == "DEQUANTIZE"
            and source.inputs[0] != INPUT_NAME  # bytes become int8 by way of float32
        ):
            yield graph.finding(
                position,
                f"rounds again what a DEQUANTIZE has just turned into {operator.inputs[0]}",
                "let its readers read the int8 tensor before that",
                True,
            )
        elif position > graph.head:
            remedy = "leave everything behind the class maps in float"
            yield graph.finding(position, "changes the type within the head", remedy, True)
        elif (
            source is not None
            and graph.types[operator.inputs[0]] == "INT8" == graph.types[operator.outputs[0]]
        ):
            remedy = f"give {operator.inputs[0]} the range of {operator.outputs[0]}"
            yield graph.finding(position, "only changes the scale", remedy, False)


def _tensors(content: bytes) -> tuple[dict[str, str], list[str]]:
    """Names of the tensors with their types, and of those at the borders."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    called = {value: name for name, value in vars(schema.TensorType).items() if name.isupper()}
    graph = flatbuffer_utils.read_model_from_bytearray(bytearray(content)).subgraphs[0]
    names = [tensor.name.decode() for tensor in graph.tensors]
    types = {name: called[each.type] for name, each in zip(names, graph.tensors, strict=True)}
    return types, [names[index] for index in (*graph.inputs, *graph.outputs)]
