"""Images named on a command line: files, folders and zip archives, in a stable order."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from runtimes.errors import InputError
from runtimes.preprocess import SUFFIXES, read_image_file

# Photos that cannot be read here: listed, so that reading one says so, and not passed over.
_OTHER_PHOTOS = (".heic", ".heif", ".avif", ".tif", ".tiff")
MAX_MEMBER_BYTES = 1 << 30


@dataclass(frozen=True)
class ImageFile:
    """One image: its name (path as given, then the path inside the folder or zip) and content."""

    name: str
    read: Callable[[], bytes]


def list_images(paths: Sequence[Path | str]) -> list[ImageFile]:
    """Lists the images of files, folders (with their subfolders) and zips, sorted within each.

    A file named directly is taken whatever its suffix; in folders and zips only image suffixes are,
    and hidden files are passed over. Archives stay open as long as the list lives.

    Raises:
        InputError: a path is missing or holds no image, a zip is damaged, or one of its entries
            has an absolute path, a `..`, or is a link.
    """
    found: dict[str, ImageFile] = {}
    for path in map(Path, paths):
        for image in _images_of(path):
            found.setdefault(image.name, image)
    if not found:
        raise InputError("no image was named. Name image files, folders or zip archives.")
    return list(found.values())


def _images_of(path: Path) -> Iterable[ImageFile]:
    if path.is_dir():
        return _folder(path)
    if path.is_file() and (path.suffix.lower() == ".zip" or zipfile.is_zipfile(path)):
        return _archive(path)
    if not path.exists():
        raise InputError(f"{path}: there is no such image, folder or zip. Check the path.")
    return [ImageFile(path.as_posix(), partial(read_image_file, path))]


def _folder(path: Path) -> list[ImageFile]:
    files = sorted(file for file in path.rglob("*") if _is_image(file.relative_to(path)))
    images = [ImageFile(f.as_posix(), partial(read_image_file, f)) for f in files if f.is_file()]
    return images or _nothing_in(path)


def _archive(path: Path) -> list[ImageFile]:
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise InputError(
            f"{path}: this is not a readable zip ({error}). It may be truncated; fetch it again."
        ) from error
    images = []
    for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
        check_zip_entry(path, entry)
        inside = PurePosixPath(entry.filename)
        if not entry.is_dir() and _is_image(inside):
            read = partial(read_zip_entry, archive, entry)
            images.append(ImageFile(f"{path.as_posix()}/{inside}", read))
    return images or _nothing_in(path)


def check_zip_entry(path: Path, entry: zipfile.ZipInfo) -> None:
    """Refuses an archive with an entry that leads out of it.

    Raises:
        InputError: the entry is absolute, has a `..`, or is a link.
    """
    parts = PurePosixPath(entry.filename.replace("\\", "/"))
    # the upper half of external_attr is the Unix mode of the file that was packed
    link = stat.S_ISLNK(entry.external_attr >> 16)
    if parts.is_absolute() or ".." in parts.parts or parts.parts[:1] == ("~",) or link:
        what = "a link" if link else "a path that leads out of the archive"
        raise InputError(
            f"{path}: the entry '{entry.filename[:200]}' is {what}; such archives are refused. "
            "Pack the images again."
        )


def read_zip_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Returns the content of one entry, checked against its checksum.

    Raises:
        InputError: above 1 GiB unpacked, encrypted, damaged, or of an unknown compression.
    """
    where = f"{archive.filename}/{entry.filename}"
    if entry.file_size > MAX_MEMBER_BYTES:
        raise InputError(
            f"{where}: it unpacks to {entry.file_size / 2**30:.1f} GiB, and 1 GiB is accepted. "
            "Unpack it by hand and reduce the image."
        )
    try:
        return archive.read(entry)
    except Exception as error:  # zlib, lzma and zipfile each have their own
        raise InputError(
            f"{where}: it cannot be unpacked ({error}). Fetch or pack the archive again."
        ) from error


def _is_image(inside: Path | PurePosixPath) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in inside.parts)
    return inside.suffix.lower() in (*SUFFIXES, *_OTHER_PHOTOS) and not hidden


def _nothing_in(path: Path) -> list[ImageFile]:
    raise InputError(f"{path}: no image in it. Expected files ending in {', '.join(SUFFIXES)}.")
