"""Which model files are timed, and what each is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.artifacts import listed_files
from runtimes.errors import InputError
from runtimes.hashes import sha256_of, size_of
from runtimes.integrity import MANIFEST_FILE, check_unchanged
from runtimes.model_files import SUFFIXES, kind_of

LITERT, ONNX, CORE_ML = "LiteRT", "ONNX Runtime", "Core ML"
RUNTIMES = {".tflite": LITERT, ".onnx": ONNX, ".mlpackage": CORE_ML}
MOST_FILES = 200
CHILD = "benchmarks.latency.child"  # in whose process files run


@dataclass(frozen=True)
class TimedFile:
    """A file to time.

    Attributes:
        name: unlike any other of this run.
        path: where it lies.
        runtime: that opens it.
        format: its key in the table of formats where a manifest lists it, else "".
        peer: whether it was named as a peer.
        size: in bytes.
        sha256: of its content.
        fault: why it is not to be opened at all, in words; "" if it is.
    """

    name: str
    path: Path
    runtime: str
    format: str
    peer: bool
    size: int
    sha256: str
    fault: str = ""

    def without_path(self, reason: str) -> str:
        """Shortens what an error says of this file to what a row beside its name needs."""
        return reason.replace(f"{self.path}: ", "").replace(str(self.path), self.name)


def find_files(named: Sequence[Path], peers: Sequence[Path] = ()) -> tuple[TimedFile, ...]:
    """Returns the files of export folders, single files and peers, in that order.

    Raises:
        InputError: a path that is neither, none at all, one twice, or more than 200.
    """
    found: list[TimedFile] = []
    for path in named:
        found += _of_folder(path) if _is_export(path) else [_file(path, "", False)]
    found += [_file(path, "", True) for path in peers]
    places = [file.path.resolve() for file in found]
    for file, place in zip(found, places, strict=True):
        if places.count(place) > 1:
            raise InputError(f"{file.path} is named twice; name each file once.")
    if not 1 <= len(found) <= MOST_FILES:
        raise InputError(f"{len(found)} files are named; expected 1 to {MOST_FILES}.")
    return _with_names(found)


def _is_export(path: Path) -> bool:
    return path.is_dir() and path.suffix.lower() not in SUFFIXES


def _of_folder(folder: Path) -> list[TimedFile]:
    listed, _ = listed_files(folder)
    return [
        _file(folder / name, form, False)
        if (folder / name).exists()
        else _lost(folder / name, form)
        for form, name in listed.items()
    ]


def _lost(path: Path, form: str) -> TimedFile:
    suffix = path.suffix.lower()
    if suffix not in RUNTIMES:
        raise InputError(
            f"{path.parent / MANIFEST_FILE} lists {path.name}, which is no model file."
        )
    fault = f"{MANIFEST_FILE} lists it, but it is missing; export the run again"
    return TimedFile(path.name, path, RUNTIMES[suffix], form, False, 0, "", fault)


def _file(path: Path, form: str, peer: bool) -> TimedFile:
    kind = kind_of(path)
    if kind not in RUNTIMES:
        raise InputError(f"{path}: this is a run folder, not a model file. Export it first.")
    file = TimedFile(path.name, path, RUNTIMES[kind], form, peer, size_of(path), sha256_of(path))
    try:
        check_unchanged(path)
    except InputError as error:
        return replace(file, fault=file.without_path(str(error)))
    return file


def _with_names(files: Sequence[TimedFile]) -> tuple[TimedFile, ...]:
    """Files of one name are told apart by a number, in the order in which they were named."""
    names = [file.name for file in files]
    named = []
    for place, file in enumerate(files):
        if names.count(file.name) > 1:
            number = names[: place + 1].count(file.name)
            file = replace(file, name=f"{file.name} ({number})")
        named.append(file)
    return tuple(named)
