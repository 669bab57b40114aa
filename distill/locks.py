"""One process at a time: locks that end with the process, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runtimes.errors import InputError


@contextmanager
def claim(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Holds a lock for the block; yields False where another process holds it.

    Args:
        path: an existing folder, or a lock file, which stays there.
        wait: for the other process, instead of yielding False.

    Raises:
        InputError: the file system keeps no locks.
    """
    if path.is_dir():
        handle = os.open(path, os.O_RDONLY)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        except OSError as error:
            raise InputError(
                f"{path}: it cannot be locked ({error.strerror}). Name a folder on another disk."
            ) from error
        yield True
    finally:
        os.close(handle)


@contextmanager
def alone_in(folder: Path, busy: str) -> Iterator[None]:
    """Makes a folder and holds it for the block; what it made and is empty afterwards is removed.

    Args:
        folder: that one process at a time writes into.
        busy: what is said where another process does.

    Raises:
        InputError: another process holds it, or it cannot be made.
    """
    if any(place.exists() and not place.is_dir() for place in (folder, *folder.parents)):
        raise InputError(f"{folder}: a file stands in the way of this folder; name another one.")
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: this folder cannot be made ({error.strerror}); name another one."
        ) from error
    with claim(folder) as mine:
        if not mine:
            raise InputError(busy)
        try:
            yield
        finally:
            with suppress(OSError):
                for place in made or [folder]:
                    place.rmdir()  # only an empty one can be removed
