"""What C++ libraries write to standard error, with known remarks left out."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_remarks(*known: str) -> Iterator[None]:
    """Runs the block and then passes on what it wrote to standard error, but for known remarks.

    C++ code writes to the file descriptor itself, past `sys.stderr`, so the descriptor is led to
    a temporary file meanwhile; that holds for every thread of the process. Keep the block short.

    Args:
        known: beginnings of the lines to leave out; every other line is passed on.
    """
    sys.stderr.flush()
    try:
        original = os.dup(2)
    except OSError:  # there is no standard error, so there is nothing to keep quiet
        yield
        return
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            written.seek(0)
            beginnings = tuple(remark.encode() for remark in known)
            kept = [line for line in written if not line.startswith(beginnings)]
            os.write(original, b"".join(kept))
            os.close(original)
