"""Hash and size of a model file, which may be a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal digits.

    Of a folder it is that of the text which `sha256sum` prints for its files, sorted by path
    relative to the folder: one line of digest, two spaces and path for each.
    """
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    lines = [f"{sha256_of(file)}  {name}\n" for name, file in _files(path)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def size_of(path: Path) -> int:
    """Returns the bytes of a file, or of all files of a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for _, file in _files(path))


def _files(folder: Path) -> list[tuple[str, Path]]:
    # A hidden file is the file manager's, not the package's.
    files = (path for path in folder.rglob("[!.]*") if path.is_file())
    return sorted((path.relative_to(folder).as_posix(), path) for path in files)
