"""manifest.json: what lies in an artifact folder, made from what, by which versions."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from distill.provenance import provenance
from export.formats import FORMATS
from runtimes.hashes import sha256_of
from runtimes.integrity import MANIFEST_FILE

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
