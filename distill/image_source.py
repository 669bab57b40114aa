"""Random access to the images of a folder or of a zip archive, without unpacking anything."""

from __future__ import annotations

import hashlib
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from runtimes.errors import InputError
from runtimes.image_files import check_zip_entry, read_zip_entry
from runtimes.preprocess import SUFFIXES, read_image_file

if TYPE_CHECKING:
    from distill.index import Record


class ImageSource:
    """The image files below a folder or inside a zip; `locations` are POSIX paths within it.

    Raises:
        InputError: the path is missing, is no zip, or has entries that point outside of it.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._archive: zipfile.ZipFile | None = None
        self._members: dict[str, zipfile.ZipInfo] = {}
        if self.root.is_dir():
            self.locations = tuple(sorted(self._walk()))
        elif self.root.is_file():
            self._archive = _open_archive(self.root)
            for member in self._archive.infolist():
                check_zip_entry(self.root, member)
                if not member.is_dir() and is_image_name(member.filename):
                    self._members[member.filename] = member
            self.locations = tuple(sorted(self._members))
        else:
            raise InputError(f"{self.root} does not exist; expected a folder or a zip of images.")

    def read(self, record: Record) -> bytes:
        """Returns the encoded bytes of one record's image file; safe to call from threads."""
        return self.read_location(record.location)

    def read_location(self, location: str) -> bytes:
        """Returns the bytes stored under one of `locations`.

        Raises:
            InputError: the file has gone or is damaged.
        """
        if self._archive is None:
            return read_image_file(self.root / location)
        return read_zip_entry(self._archive, self._member(location))

    def stamp(self, location: str) -> str:
        """Returns a cheap mark of a file's content: CRC and size in a zip, else size and mtime.

        Raises:
            InputError: the file has gone.
        """
        if self._archive is not None:
            member = self._member(location)
            return f"{member.CRC:08x}-{member.file_size}"
        try:
            status = (self.root / location).stat()
        except OSError as error:
            raise InputError(f"{self.root / location} has gone ({error.strerror}).") from error
        return f"{status.st_size}-{status.st_mtime_ns}"

    def identical(self, locations: Iterable[str]) -> list[tuple[str, ...]]:
        """Returns the groups of two or more files with the same bytes, in order of location.

        Only files that agree in size (and CRC, in a zip) are read and hashed, so that a data set
        without duplicates costs one directory listing.
        """
        alike: defaultdict[str, list[str]] = defaultdict(list)
        for location in locations:
            stamp = self.stamp(location)
            alike[stamp if self._archive is not None else stamp.split("-")[0]].append(location)
        same: defaultdict[bytes, list[str]] = defaultdict(list)
        for candidates in alike.values():
            if len(candidates) > 1:
                for location in candidates:
                    digest = hashlib.sha256(self.read_location(location)).digest()
                    same[digest].append(location)
        return sorted(tuple(sorted(group)) for group in same.values() if len(group) > 1)

    def _member(self, location: str) -> zipfile.ZipInfo:
        if location not in self._members:
            raise InputError(f"{self.root} has no entry {location!r}; was the archive replaced?")
        return self._members[location]

    def _walk(self) -> Iterable[str]:
        for path in self.root.rglob("*"):
            relative = path.relative_to(self.root).as_posix()
            if is_image_name(relative) and path.is_file():
                yield relative


def is_image_name(name: str) -> bool:
    """Tells whether a path names an image: a known suffix, and no hidden or macOS side file."""
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return path.suffix.lower() in SUFFIXES and not hidden


def _open_archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise InputError(
            f"{path} is no readable zip archive ({error}). Download it again, or name a folder."
        ) from error
