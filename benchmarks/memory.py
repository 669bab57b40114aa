"""Peak memory of processes."""

from __future__ import annotations

import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROCESSES = Path("/proc")
_SECONDS_BETWEEN_LOOKS = 0.1


def peak_memory() -> int:
    """Largest resident size of this process so far, in bytes."""
    # A child begins with its parent's ru_maxrss on Linux; VmHWM is this program's own.
    if (own := _kilobytes("self", "VmHWM")) is not None:
        return own * 1024
    return in_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def in_bytes(maximum_resident_size: int) -> int:
    """What the system calls ru_maxrss, in bytes: kilobytes on Linux, bytes on macOS."""
    return maximum_resident_size * (1 if sys.platform == "darwin" else 1024)


class Watch:
    """The memory of a process and all that it started; `peak` is 0 where there is no /proc."""

    def __init__(self) -> None:
        self.peak = 0

    def look(self, pid: int) -> None:
        """Adds up the resident sizes, in bytes; what processes share counts for each of them."""
        sizes = (_kilobytes(str(each), "VmRSS") or 0 for each in _family(pid))
        self.peak = max(self.peak, 1024 * sum(sizes))


@contextmanager
def watched_memory(pid: int) -> Iterator[Watch]:
    """Looks at the memory of a process and its descendants ten times a second."""
    watch, stop = Watch(), threading.Event()

    def look() -> None:
        while not stop.wait(_SECONDS_BETWEEN_LOOKS):
            watch.look(pid)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        stop.set()
        thread.join()


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        threads = list((_PROCESSES / str(pid) / "task").iterdir())
        children = [(thread / "children").read_text(encoding="ascii") for thread in threads]
    except OSError:  # it has ended, or one of its threads: the next look comes soon
        return
    for child in " ".join(children).split():
        yield from _family(int(child))


def _kilobytes(process: str, field: str) -> int | None:
    try:
        status = (_PROCESSES / process / "status").read_text(encoding="ascii", errors="replace")
    except OSError:  # it has ended, or this is no Linux
        return None
    for line in status.splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    return None
