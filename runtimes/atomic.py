"""Writes that either happen whole or not at all."""

from __future__ import annotations

import errno
import glob
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from runtimes.errors import InputError
from runtimes.json_files import parse_json

_STALE_SECONDS = 24 * 3600
# Where one of the first lies, the second are parts of a run, a fine-tuning, a release, a record or
# an export.
_WHOLES = (
    *("student.safetensors", "teacher.safetensors", "recipe.yaml"),
    *("aware.safetensors", "manifest.json"),
)
_PARTS = (
    *("metrics.json", "contract.json", "split.json", "curves.png", "initial.json"),
    *("finetune.json", "data.json", "manifest.json", "parity.json"),
)
# One of these is in every JSON result.
_MARKS = {"provenance", "schema", "index_sha256"}
_GROWING = ("dermport.phone", "dermport.web")
_LARGEST_JSON = 64 << 20
_LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")  # of file managers


@contextmanager
def _named_failures(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reasons = {
            errno.ENOSPC: "the disk is full. Free some space and run the same command again",
            errno.EDQUOT: "the disk quota is used up. Free some space and run the command again",
            errno.EACCES: "permission denied. Choose a folder that you may write to",
            errno.EROFS: "the file system is read-only. Choose a folder that you may write to",
        }
        reason = reasons.get(error.errno or 0, f"{error.strerror or error}. Choose another path")
        raise InputError(
            f"cannot write {path}: {reason}; what stood there is unchanged."
        ) from error


def check_output(path: Path, suffix: str, schema: str = "") -> None:
    """Checks that a result may be written to `path`: it does not stand in the place of other data.

    A .json is replaced only by its like: one with a mark of this project's results, and of those
    that grow from run to run, such as a phone's, only by the same.

    Args:
        path: where the user asks for it.
        suffix: of such results, with the dot.
        schema: of the result, where it is one that grows.

    Raises:
        InputError: the name has another suffix, its folder cannot be written, or a file of other
            kind or owner stands there.
    """
    if path.is_dir():
        raise InputError(f"{path}: this is a folder. Name the {suffix} file to write.")
    if path.suffix.lower() != suffix:
        raise InputError(f"{path}: it does not end in {suffix}. Name a file that does.")
    folder = path.resolve().parent
    standing = next(place for place in (folder, *folder.parents) if place.exists())
    if not is_writable(standing):
        raise InputError(f"{path}: {standing} cannot be written into. Name another path.")
    owner = next((name for name in _WHOLES if (folder / name).is_file()), None)
    if path.exists() and path.name in _PARTS and owner is not None:
        raise InputError(
            f"{path}: it belongs to what lies in {folder} (with {owner}) and is not replaced. "
            "Name another file."
        )
    if suffix == ".json" and path.is_file() and (what := _other_json(path, schema)):
        raise InputError(f"{path}: it holds {what} and is not replaced. Name another file.")


def is_writable(folder: Path) -> bool:
    """Whether a file can be made in a folder: it is tried, for rights alone do not tell."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _other_json(path: Path, schema: str) -> str:
    """Says what a .json holds that no result of this schema may replace; "" for anything else."""
    try:
        if path.stat().st_size > _LARGEST_JSON:
            return "something else"
        content = path.read_text(encoding="utf-8")
        found = parse_json(content) if content.strip() else {}
    except (OSError, ValueError):
        return "no JSON"
    if not isinstance(found, dict) or (found and not found.keys() & _MARKS):
        return "no result of this project"
    kind = found.get("schema", "")
    return f"a record of kind {kind}" if kind in _GROWING and kind != schema else ""


def check_folder(path: Path, mark: str, names: Collection[str]) -> None:
    """Checks that a folder may be replaced as a whole: it is missing, empty, or of this kind.

    Args:
        path: where the user asks for it.
        mark: a file that every such folder has.
        names: patterns of the files that such a folder holds, such as "images/*.png"; any other
            file would be lost.

    Raises:
        InputError: something else stands there, which would be lost.
    """
    if _has_no_name(path) or path.is_symlink() or (path.exists() and not path.is_dir()):
        raise InputError(f"{path} is not a folder of its own; name a new folder.")
    entries = (entry for entry in path.rglob("*") if entry.is_symlink() or not entry.is_dir())
    found = sorted(
        entry.relative_to(path).as_posix() for entry in entries if entry.name not in _LITTER
    )
    foreign = [name for name in found if not any(_matches(name, own) for own in names)]
    if foreign or (found and not (path / mark).is_file()):
        what = foreign[0] if foreign else f"no {mark}"
        raise InputError(
            f"{path} holds something else ({what}), and would be replaced as a whole. Name a new "
            "folder."
        )


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, which takes its name when the block ends well.

    Raises:
        InputError: the disk is full, the folder cannot be written, or `path` is no plain file;
            what stood there is left as it was.
    """
    path = Path(path)
    with _named_failures(path):
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is a folder or a device; name a file to write.")
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        temporary = path.with_name(_hidden_name(path) + path.suffix)
        try:
            temporary.touch(0o600, exist_ok=False)
            yield temporary
            _flush_to_disk(temporary)
            temporary.chmod(0o666 & ~_umask())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yields a temporary folder beside `path`, which takes its place when the block ends well.

    Raises:
        InputError: the disk is full, the parent cannot be written, or `path` is "." or "..";
            what stood there is left as it was.
    """
    path = Path(path)
    if _has_no_name(path):
        raise InputError(f"{path} is not a folder of its own; name a new folder.")
    with _named_failures(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        temporary = path.with_name(_hidden_name(path)) / path.name
        try:
            temporary.parent.mkdir(0o700)
            temporary.mkdir()
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            aside = temporary.parent / "replaced"
            try:
                if path.exists():
                    os.replace(path, aside)
                os.replace(temporary, path)
            except BaseException:  # also an interruption between the two
                if aside.exists() and not path.exists():
                    os.replace(aside, path)
                raise
        finally:
            shutil.rmtree(temporary.parent, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Replaces `path` by `text` (UTF-8) in one step."""
    with replacing_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Replaces `path` by `value` as indented JSON in one step; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _matches(name: str, pattern: str) -> bool:
    """Whether a path with slashes matches a pattern part by part."""
    parts, patterns = name.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def check_apart(out: Path, folder: Path, option: str = "--out") -> None:
    """Checks that a folder to be written and one to be read do not lie in each other.

    Args:
        out: to be written.
        folder: to be read.
        option: what names one of them.

    Raises:
        InputError: they do.
    """
    places = out.resolve(), folder.resolve()
    if places[1].is_relative_to(places[0]) or places[0].is_relative_to(places[1]):
        raise InputError(f"{out} and {folder} lie in each other; name another {option}.")


def _hidden_name(path: Path) -> str:
    """A name beside `path` that nothing has.

    It is known before anything is there, so that an interruption at any moment leaves nothing.
    """
    return f".{path.name}.{secrets.token_hex(4)}"


def _has_no_name(path: Path) -> bool:
    return path.name in ("", "..")


def _sweep(path: Path) -> None:
    """Removes what writers of `path` left behind that were killed more than a day ago."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.????????*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime < _STALE_SECONDS:
                continue
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()


def _flush_to_disk(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
