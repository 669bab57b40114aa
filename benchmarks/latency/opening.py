"""Each file opened in processes of its own: time to load, first inference, peak memory."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.latency.coverage import BackEnd
from benchmarks.latency.files import CHILD, CORE_ML, TimedFile
from runtimes.child_process import Child, ChildDied
from runtimes.console import progress
from runtimes.contract import Contract

_TIMES = 3
_TIMEOUT_S = 120.0
MACOS_ONLY = "runs on macOS only; not timed"


@dataclass(frozen=True)
class Opening:
    """What opening a file in a fresh process takes; medians over three processes.

    Attributes:
        load_ms: from the path to a model that is ready; the runtime is imported before.
        first_ms: the first inference.
        peak_memory_bytes: largest resident size of the process up to then.
        memory_before_bytes: the same before the file was opened: Python, NumPy and the runtime.
        back_end: what was asked for, what ran.
        contract: the file's, if it has one.
    """

    load_ms: float
    first_ms: float
    peak_memory_bytes: int
    memory_before_bytes: int
    back_end: BackEnd
    contract: Contract | None


def open_alone(
    files: Sequence[TimedFile], threads: int, memory_limit: int
) -> dict[str, Opening | str]:
    """Opens and runs each file in processes of its own.

    Args:
        files: to open.
        threads: of each runtime.
        memory_limit: address space of a process, in bytes.

    Returns:
        Name to what it took, or to why it cannot be timed, in words.
    """
    found: dict[str, Opening | str] = {}
    with progress("each file alone", len(files)) as bar:
        for file in files:
            found[file.name] = _open(file, threads, memory_limit)
            bar.advance(text=file.name)
    return found


def _open(file: TimedFile, threads: int, memory_limit: int) -> Opening | str:
    if file.fault:
        return file.fault
    if file.runtime == CORE_ML and sys.platform != "darwin":
        return MACOS_ONLY
    answers = []
    try:
        for _ in range(_TIMES):
            with Child(CHILD, memory_limit) as child:
                answers.append(
                    child.ask(_TIMEOUT_S, do="probe", path=str(file.path), threads=threads)
                )
    except ChildDied as death:
        return file.without_path(str(death))
    text = answers[0]["contract"]
    return Opening(
        load_ms=float(np.median([answer["load_ms"] for answer in answers])),
        first_ms=float(np.median([answer["first_ms"] for answer in answers])),
        peak_memory_bytes=int(np.median([answer["peak_memory_bytes"] for answer in answers])),
        memory_before_bytes=int(np.median([answer["memory_before_bytes"] for answer in answers])),
        back_end=BackEnd(**answers[0]["back_end"]),
        contract=None if text is None else Contract.from_json(text, file.name),
    )
