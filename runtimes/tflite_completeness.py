"""Whether a .tflite has all of its bytes.

A flatbuffer does not say how long it is, and what is missing at its end is often read by nobody
until the runtime opens the file. Every table, list and text that the graph leads to is looked up,
without reading what it holds. The places of fields are those of TensorFlow Lite's schema.fbs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from runtimes.errors import InputError

_MOST_TABLES = 200_000  # a hostile file can list one table any number of times
# For each kind of table: where it keeps a list or a text, and the bytes of one item.
_LISTS = {
    "buffer": ((4, 1),),
    "operator code": ((6, 1),),
    "graph": ((6, 4), (8, 4), (12, 1)),
    "tensor": ((4, 4), (10, 1)),
    "quantization": ((4, 4), (6, 4), (8, 4), (10, 8)),
    "operator": ((6, 4), (8, 4)),
    "metadata": ((4, 1),),
}


def check_complete(path: object, size: int, model: Any) -> None:
    """Compares where the parts of a model end with where its file ends.

    Args:
        path: of the file, for the error.
        size: of the file in bytes.
        model: its root table by the generated schema.

    Raises:
        InputError: a part ends behind the file, or begins there.
    """
    try:
        for number, (kind, position, table) in enumerate(_tables(model)):
            if number == _MOST_TABLES:
                raise InputError(
                    f"{path}: this TensorFlow Lite model has more than {_MOST_TABLES:,} tensors, "
                    "operators and buffers, which no phone runs. Check where it comes from."
                )
            end = _end(kind, table)
            if end > size:
                which = kind if position is None else f"{kind} {position}"
                raise InputError(
                    f"{path}: this TensorFlow Lite model is damaged or truncated: it has {size:,} "
                    f"bytes, and its {which} ends at byte {end:,}. Fetch it again or export it "
                    "again."
                )
    except InputError:
        raise
    except Exception as error:  # the reader trusts offsets, and those may lead anywhere
        raise InputError(
            f"{path}: this TensorFlow Lite model is damaged or truncated: it has {size:,} bytes, "
            f"and its parts are not all within them ({error}). Fetch it again or export it again."
        ) from error


def _tables(model: Any) -> Iterator[tuple[str, int | None, Any]]:
    """The tables that hold lists: kind, position among its like, table."""
    for position in range(model.BuffersLength()):
        yield "buffer", position, model.Buffers(position)
    for position in range(model.OperatorCodesLength()):
        yield "operator code", position, model.OperatorCodes(position)
    for position in range(model.MetadataLength()):
        yield "metadata", position, model.Metadata(position)
    for number in range(model.SubgraphsLength()):
        graph = model.Subgraphs(number)
        yield "graph", number, graph
        for position in range(graph.TensorsLength()):
            tensor = graph.Tensors(position)
            yield "tensor", position, tensor
            if (quantization := tensor.Quantization()) is not None:
                yield "quantization", position, quantization
        for position in range(graph.OperatorsLength()):
            yield "operator", position, graph.Operators(position)


def _end(kind: str, table: Any) -> int:
    """The byte behind a table, its list of fields, and its own lists and texts."""
    view = table._tab
    (back,) = struct.unpack_from("<i", view.Bytes, view.Pos)
    fields = view.Pos - back
    length_of_fields, length = struct.unpack_from("<HH", view.Bytes, fields)
    ends = [view.Pos + length, fields + length_of_fields]
    for slot, width in _LISTS[kind]:
        if (offset := view.Offset(slot)) != 0:
            ends.append(view.Vector(offset) + view.VectorLen(offset) * width)
    if kind == "buffer" and table.Offset() > 1:  # its data stands behind the flatbuffer
        ends.append(table.Offset() + table.Size())
    return max(ends)
