"""What really runs: which back end took how many of a model's operators."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.latency.profilers import onnx_events


@dataclass(frozen=True)
class BackEnd:
    """The back end that was asked for and the one that ran.

    Attributes:
        asked: in words.
        ran: in words, with the share of operators.
        covered: operators that the asked back end took, of `operators`; None where not told.
        partitions: pieces into which the graph was cut.
        kinds: operator type to how many of them ran, after the runtime's own rewriting of an .onnx.
        left: the same for those that the asked back end did not take.
    """

    asked: str
    ran: str
    covered: int | None = None
    operators: int | None = None
    partitions: int | None = None
    kinds: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)


def litert_back_end(interpreter: Any) -> BackEnd:
    """Says which operators of an allocated LiteRT interpreter XNNPACK took.

    After delegation the list of operators still has all of the file's, followed by one DELEGATE a
    partition, whose inputs and outputs are the partition's: what lies between them is inside.
    """
    # No public call tells; the wheel's version is pinned.
    listed = interpreter._get_ops_details()
    delegates = [op for op in listed if op["op_name"] == "DELEGATE"]
    own = [op for op in listed if op["op_name"] != "DELEGATE"]
    maker = {int(tensor): op["index"] for op in own for tensor in op["outputs"]}
    inputs = {op["index"]: [int(tensor) for tensor in op["inputs"]] for op in own}
    taken: set[int] = set()
    for delegate in delegates:
        border = {int(tensor) for tensor in delegate["inputs"]}
        ahead = [int(tensor) for tensor in delegate["outputs"]]
        while ahead:
            tensor = ahead.pop()
            operator = maker.get(tensor)
            if tensor in border or operator is None or operator in taken:
                continue
            taken.add(operator)
            ahead += inputs[operator]
    left = Counter(op["op_name"] for op in own if op["index"] not in taken)
    return BackEnd(
        asked="XNNPACK",
        ran=_in_words("XNNPACK", len(taken), len(own), len(delegates)),
        covered=len(taken),
        operators=len(own),
        partitions=len(delegates),
        kinds=dict(Counter(op["op_name"] for op in own)),
        left=dict(left),
    )


def onnx_back_end(path: Path, threads: int, feed: dict[str, np.ndarray]) -> BackEnd:
    """Says which provider ran each operator of an .onnx, from one profiled inference.

    Args:
        path: the file.
        threads: of one operator.
        feed: its inputs by name.
    """
    events, _ = onnx_events(path, threads, 1, feed)
    asked = "CPUExecutionProvider"
    providers = Counter(event["args"].get("provider", "") for event in events)
    taken = providers[asked]
    left = Counter(e["args"]["op_name"] for e in events if e["args"].get("provider") != asked)
    return BackEnd(
        asked=asked,
        ran=_in_words("CPU provider", taken, len(events), None),
        covered=taken,
        operators=len(events),
        kinds=dict(Counter(event["args"]["op_name"] for event in events)),
        left=dict(left),
    )


def _in_words(name: str, taken: int, operators: int, partitions: int | None) -> str:
    if not taken:
        return f"{name} took none of {operators} operators"
    text = f"{name} {taken}/{operators} operators"
    if partitions is None:
        return text
    return f"{text}, {partitions} partition{'s' if partitions > 1 else ''}"
