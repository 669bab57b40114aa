"""A folder as files of at most 15 MB, for a way between machines that takes no larger ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from distill.settings import parse
from runtimes.atomic import check_apart, check_folder, replacing_folder
from runtimes.errors import InputError
from runtimes.json_files import read_json

LIST_FILE = "parcels.json"
LARGEST_BYTES = 15_000_000
_READ_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Item:
    """A file of the folder: its path there, with slashes, and how many bytes it has."""

    path: str
    bytes: int

    def __post_init__(self) -> None:
        if self.bytes < 0:
            raise ValueError(f"bytes is {self.bytes}, expected 0 or more")


@dataclass(frozen=True)
class Parcels:
    """What parcels.json says.

    Attributes:
        items: the files, in the order in which their bytes follow each other.
        parts: SHA-256 of each part, in order.
    """

    items: tuple[Item, ...]
    parts: tuple[str, ...]


def pack(folder: Path, out: Path, largest: int = LARGEST_BYTES) -> list[Path]:
    """Writes all files of a folder as parts of at most `largest` bytes, and their list.

    Args:
        folder: a run folder, for instance.
        out: folder of the parts; replaced as a whole.
        largest: bytes.

    Raises:
        InputError: no such folder; nothing, a link, or a name that not every system takes in it;
            `out` holds something else or lies
            in it or around it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; name the run to pack.")
    check_apart(out, folder)
    check_folder(out, LIST_FILE, (LIST_FILE, "part-*"))
    found = sorted(folder.rglob("*"))
    linked = [path for path in found if path.is_symlink()]
    if linked:
        raise InputError(f"{linked[0]} is a link; pack what it leads to apart, or remove it.")
    files = [path for path in found if path.is_file()]
    if not files:
        raise InputError(f"{folder} has no files to pack.")
    for path in files:
        _inside(path.relative_to(folder).as_posix(), folder)
    with replacing_folder(out) as temporary:
        sizes = dict.fromkeys(files, 0)  # of what was read: a training may replace a file meanwhile
        parts: list[str] = []
        for number, content in enumerate(_cut(sizes, largest)):
            (temporary / _name(number)).write_bytes(content)
            parts.append(hashlib.sha256(content).hexdigest())
        items = [Item(path.relative_to(folder).as_posix(), size) for path, size in sizes.items()]
        listed = json.dumps(asdict(Parcels(tuple(items), tuple(parts))), indent=1)
        (temporary / LIST_FILE).write_text(listed, encoding="utf-8")
    return sorted(out.iterdir())


def unpack(parcels: Path, out: Path) -> list[Path]:
    """Writes the folder again that `pack` took apart.

    Args:
        parcels: folder of the parts.
        out: where the folder goes; it must not exist, so that nothing is overwritten.

    Raises:
        InputError: a part is missing or changed, a path leads out of the folder or stands twice, or
            `out` exists or lies among the parts.
    """
    if out.exists():
        raise InputError(f"{out} exists; name a new folder, so that nothing is overwritten.")
    if out.resolve().is_relative_to(parcels.resolve()):
        raise InputError(f"{out} lies in {parcels}; name another --out.")
    about = _read_list(parcels / LIST_FILE)
    paths = _paths(about.items, parcels / LIST_FILE)
    stream = _checked_bytes(parcels, about)
    with replacing_folder(out) as temporary:
        held = memoryview(b"")
        for item, inside in zip(about.items, paths, strict=True):
            path = temporary / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            left = item.bytes
            with path.open("wb") as file:
                while left:
                    held = held if len(held) else memoryview(next(stream, b""))
                    if not len(held):
                        raise InputError(
                            f"{parcels}: its parts end before {item.path} does; pack it again."
                        )
                    written = file.write(held[:left])
                    held, left = held[written:], left - written
        if len(held) or next(stream, b""):
            raise InputError(
                f"{parcels}: its parts hold more than {LIST_FILE} says; pack it again."
            )
    return sorted(path for path in out.rglob("*") if path.is_file())


def _cut(sizes: dict[Path, int], largest: int) -> Iterator[bytes]:
    """Yields the parts and counts the bytes of each file."""
    held = bytearray()
    for path in sizes:
        with path.open("rb") as stream:
            while content := stream.read(_READ_AT_ONCE):
                sizes[path] += len(content)
                held += content
                while len(held) >= largest:
                    yield bytes(held[:largest])
                    del held[:largest]
    if held:
        yield bytes(held)


def _checked_bytes(parcels: Path, about: Parcels) -> Iterator[bytes]:
    for number, known in enumerate(about.parts):
        path = parcels / _name(number)
        if not path.is_file():
            raise InputError(f"{path} is missing; fetch it again.")
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != known:
            raise InputError(f"{path} is not what {LIST_FILE} says; fetch it again.")
        yield content


def _read_list(path: Path) -> Parcels:
    try:
        return parse(Parcels, read_json(path), str(path))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); name a packed folder.") from error


def _paths(items: Sequence[Item], origin: Path) -> list[PurePosixPath]:
    """Where each file goes in the folder; no file stands where another one, or its folder, does."""
    files: set[PurePosixPath] = set()
    folders: set[PurePosixPath] = set()
    found = []
    for item in items:
        path = _inside(item.path, origin)
        folders.update(path.parents)
        if path in files:
            raise InputError(f"{origin}: the path '{item.path}' stands twice; pack it again.")
        files.add(path)
        found.append(path)
    if both := files & folders:
        raise InputError(f"{origin}: '{min(both)}' is a file and a folder; pack it again.")
    return found


def _inside(text: str, origin: Path) -> PurePosixPath:
    path = PurePosixPath(text)
    outside = path.is_absolute() or not path.parts or ".." in path.parts
    if outside or not text.isprintable() or set(text) & set("\\:"):
        raise InputError(
            f"{origin}: the path {text!a} leads out of the folder or has letters that not every "
            "system takes; it is neither packed nor unpacked."
        )
    return path


def _name(number: int) -> str:
    return f"part-{number:03d}"
