"""manifest.json: what lies in an artifact folder, made from what, by which versions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from distill.provenance import provenance
from export.formats import FORMATS

MANIFEST_FILE = "manifest.json"
SCHEMA, VERSION = "dermport.manifest", "1.0"
_PACKAGES = (
    *("torch", "torchvision", "numpy", "pillow", "safetensors"),
    *("onnx", "onnxscript", "onnxruntime", "coremltools"),
    *("litert-torch", "ai-edge-quantizer", "ai-edge-litert"),
)


def build_manifest(name: str, about: dict[str, Any], files: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the document.

    Args:
        name: of the model.
        about: what `export.pipeline` says of the student and of the images it used.
        files: one entry a file: of this export, and kept ones of an earlier one.
    """
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "name": name,
        **about,
        "provenance": provenance(_PACKAGES),
        "files": files,
    }


def kept_entries(folder: Path, student_sha256: str, new: set[str]) -> list[dict[str, Any]]:
    """Returns entries of an earlier manifest that are still true.

    A file stays listed if it came from the same student, is not among the `new` formats, and is
    byte for byte what was verified then.
    """
    try:
        found = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        if found["schema"] != SCHEMA or found["student"]["sha256"] != student_sha256:
            return []
        return [
            entry
            for entry in found["files"]
            if entry["format"] not in new
            and (folder / entry["file"]).exists()
            and sha256_of(folder / entry["file"]) == entry["sha256"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def unlisted_files(folder: Path, files: Collection[str]) -> list[str]:
    """Returns model files in the folder that are not among the listed `files`."""
    found = {path.name for form in FORMATS for path in folder.glob(f"*{form.suffix}")}
    return sorted(name for name in found - set(files) if not name.startswith("."))


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
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted((path.relative_to(folder).as_posix(), path) for path in files)
