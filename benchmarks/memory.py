"""Peak memory of processes."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_memory() -> int:
    """Largest resident size of this process so far, in bytes."""
    # A child begins with its parent's ru_maxrss on Linux; VmHWM is this program's own.
    if (own := _kilobytes("VmHWM")) is not None:
        return own * 1024
    return in_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def in_bytes(maximum_resident_size: int) -> int:
    """What the system calls ru_maxrss, in bytes: kilobytes on Linux, bytes on macOS."""
    return maximum_resident_size * (1 if sys.platform == "darwin" else 1024)


def _kilobytes(field: str) -> int | None:
    if not _STATUS.exists():
        return None
    for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    return None
