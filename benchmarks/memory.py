"""Peak memory of processes."""

from __future__ import annotations

import resource
import sys

# ru_maxrss is in kilobytes on Linux and in bytes on macOS.
_UNIT = 1 if sys.platform == "darwin" else 1024


def peak_memory(who: int = resource.RUSAGE_SELF) -> int:
    """Largest resident size so far, in bytes, of this process or of its finished children."""
    return resource.getrusage(who).ru_maxrss * _UNIT
