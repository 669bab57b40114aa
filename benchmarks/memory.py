"""Peak memory of processes."""

from __future__ import annotations

import resource
import sys


def peak_memory() -> int:
    """Largest resident size of this process so far, in bytes."""
    return in_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def in_bytes(maximum_resident_size: int) -> int:
    """What the system calls ru_maxrss, in bytes: kilobytes on Linux, bytes on macOS."""
    return maximum_resident_size * (1 if sys.platform == "darwin" else 1024)
