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
        InputError: the file cannot be opened, or the file system keeps no locks.
    """
    handle = -1
    try:
        try:
            while not _is_at(handle, path):  # its last holder may just have removed it
                handle, stale = -1, handle
                if stale >= 0:
                    os.close(stale)
                handle = _open(path)
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        except OSError as error:
            raise InputError(
                f"{path}: it cannot be opened or locked ({error.strerror}). Check who may write "
                "there, or name a folder on another disk."
            ) from error
        yield True
    finally:
        if handle >= 0:
            os.close(handle)


def _open(path: Path) -> int:
    if path.is_dir():
        return os.open(path, os.O_RDONLY)
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # whoever made the folder may just have removed it
            return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


def _is_at(handle: int, path: Path) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return handle >= 0 and os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


@contextmanager
def alone_with(file: Path) -> Iterator[None]:
    """Holds a file of results for the block, by a hidden lock file beside it, which goes with it.

    Two measurements that both keep their results in one file would write each other's away.
    Folders that are made for the lock and are empty afterwards are removed.

    Args:
        file: that is read and written in the block; it may be missing.

    Raises:
        InputError: another measurement holds it.
    """
    made = [folder for folder in file.absolute().parents if not folder.exists()]
    lock = file.with_name(f".{file.name}.lock")
    with claim(lock) as mine:
        if not mine:
            raise InputError(
                f"{file}: another measurement keeps its results there and still runs. Wait until "
                "it has ended, end it with Ctrl-C, or name another --json."
            )
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
            with suppress(OSError):
                for folder in made:
                    folder.rmdir()  # only an empty one can be removed


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
