"""Rounds of one inference of every file, until there are enough of them and they lasted enough.

All files of a runtime live in one process and run once a round, in an order drawn anew for each;
the processes of the runtimes take turns every few rounds. So whatever slows the machine down for a
while falls on all files, and their times of one round can be compared pair by pair.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from benchmarks.latency.files import CHILD, TimedFile
from runtimes.child_process import Child, ChildDied
from runtimes.console import progress

_ROUNDS_A_TURN = 8
_OPENING_TIMEOUT_S = 300.0
# An inference that takes twenty times as long as the first one did hangs.
_PATIENCE = 20


@dataclass(frozen=True)
class Timings:
    """What the rounds gave.

    Attributes:
        milliseconds: name to (rounds,) times, for every file that lasted to the end.
        deaths: name to why the file's process ended, for the others.
        overhead_ms: an inference that does nothing, timed in the same loop.
        between: share of the rounds' time that lies outside of inferences.
        seconds: that the rounds took.
    """

    milliseconds: dict[str, np.ndarray]
    deaths: dict[str, str]
    overhead_ms: float | None
    between: float | None
    seconds: float


def time_rounds(
    files: Sequence[TimedFile],
    first_ms: Mapping[str, float],
    *,
    runs: int,
    seconds: float,
    threads: int,
    memory_limit: int,
    watch: Callable[[str, int], None] = lambda runtime, pid: None,
) -> Timings:
    """Runs rounds until there are `runs` of them and they took `seconds` for each file.

    A file whose process dies while it is at work is left out from there on; the process is started
    again with the others, whose times are kept.

    Args:
        files: that survived on their own.
        first_ms: name to the time of the first inference, by which a file that hangs is told.
        runs: at least so many rounds.
        seconds: at least so long, times the number of files.
        threads: of each runtime.
        memory_limit: address space of each process, in bytes.
        watch: is told the runtime and process id of every process that was opened.
    """
    groups = []
    for runtime in dict.fromkeys(file.runtime for file in files):
        members = [file for file in files if file.runtime == runtime]
        groups.append(_Group(members, first_ms, threads, memory_limit, watch))
    walls, done = 0.0, 0
    try:
        with progress("rounds, % of them", 100) as bar:
            told = 0
            while alive := sum(len(group.files) for group in groups):
                share = min(done / runs, walls / (seconds * alive)) if seconds else done / runs
                bar.advance(min(100, int(100 * share)) - told, f"{done} rounds")
                told = min(100, int(100 * share))
                if share >= 1:
                    break
                walls += sum(group.turn(seed=done) for group in groups)
                done += _ROUNDS_A_TURN
        overheads = [found for group in groups if (found := group.overhead()) is not None]
    finally:
        for group in groups:
            group.end()
    times = {name: np.array(t) for group in groups for name, t in group.times.items()}
    inside = sum(float(t.sum()) for t in times.values()) / 1e3
    complete = not any(group.deaths for group in groups)
    return Timings(
        milliseconds=times,
        deaths={name: why for group in groups for name, why in group.deaths.items()},
        overhead_ms=max(overheads, default=None),
        between=1 - inside / walls if complete and walls else None,
        seconds=walls,
    )


class _Group:
    """The process of one runtime and the times of its files."""

    def __init__(
        self,
        files: list[TimedFile],
        first_ms: Mapping[str, float],
        threads: int,
        memory_limit: int,
        watch: Callable[[str, int], None],
    ) -> None:
        self.files = files
        self.times: dict[str, list[float]] = {file.name: [] for file in files}
        self.deaths: dict[str, str] = {}
        self._first_ms, self._threads, self._memory_limit = first_ms, threads, memory_limit
        self._watch = watch
        self._child: Child | None = None
        self._marker = tempfile.NamedTemporaryFile()  # noqa: SIM115 - closed by `end`

    def turn(self, seed: int) -> float:
        """A few rounds of all files that are left; returns the seconds that they took."""
        while self.files:
            try:
                return self._try_turn(seed)
            except ChildDied as death:
                self._blame(str(death))
        return 0.0

    def overhead(self) -> float | None:
        """Median milliseconds of an inference that does nothing; None where nobody is left."""
        if self._child is None:
            return None
        with suppress(ChildDied):  # the files' times are safe already
            return float(self._child.ask(_OPENING_TIMEOUT_S, do="overhead")["overhead_ms"])
        return None

    def end(self) -> None:
        """Ends the process."""
        if self._child is not None:
            self._child.end()
            self._child = None
        self._marker.close()

    def _try_turn(self, seed: int) -> float:
        if self._child is None:
            self._open()
        assert self._child is not None
        once = sum(self._first_ms[file.name] for file in self.files) / 1e3
        patience = 60 + _PATIENCE * _ROUNDS_A_TURN * once
        answer = self._child.ask(patience, do="rounds", count=_ROUNDS_A_TURN, seed=seed)
        for row in answer["times"]:
            for file, time in zip(self.files, row, strict=True):
                self.times[file.name].append(time)
        return float(answer["wall_ms"]) / 1e3

    def _open(self) -> None:
        self._marker.seek(0)
        self._marker.write(b"\0")
        self._marker.flush()
        self._child = Child(CHILD, self._memory_limit)
        self._watch(self.files[0].runtime, self._child.pid)
        self._child.ask(
            _OPENING_TIMEOUT_S,
            do="open",
            paths=[str(file.path) for file in self.files],
            threads=self._threads,
            marker=self._marker.name,
        )

    def _blame(self, why: str) -> None:
        """Leaves out the file that was at work when the process died."""
        if self._child is not None:
            self._child.end()
            self._child = None
        self._marker.seek(0)
        culprit = self.files.pop(min(self._marker.read(1)[0], len(self.files) - 1))
        self.deaths[culprit.name] = culprit.without_path(why)
        del self.times[culprit.name]
