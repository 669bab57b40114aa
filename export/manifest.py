"""manifest.json: what lies in an artifact folder, made from what, by which versions."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from distill.provenance import provenance
from export.formats import FORMATS
from export.golden import GOLDEN_FILE
from export.image_set import ImageSet
from runtimes.atomic import check_apart, write_json, write_text
from runtimes.contract import Contract
from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.integrity import MANIFEST_FILE, MANIFEST_SCHEMA, is_plain_name
from runtimes.json_files import read_json
from runtimes.metadata import CONTRACT_FILE

VERSION = "1.2"
PARITY_FILE = "parity.json"
_PACKAGES = (
    *("torch", "torchvision", "numpy", "pillow", "safetensors"),
    *("onnx", "onnxscript", "onnxruntime", "onnxsim", "coremltools"),
    *("litert-torch", "ai-edge-quantizer", "ai-edge-litert"),
)


def check_artifacts(out: Path, run: Path) -> None:
    """Checks that a run's files may go into a folder: it is missing, empty, or this run's own.

    Raises:
        InputError: the folder holds something else, or another run's files; it lies in the run's
            folder or around it.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; give a folder for the exported files with --out.")
    check_apart(out, run)
    manifest, owner = out / MANIFEST_FILE, _owner(out)
    if owner is None and manifest.exists():
        raise InputError(
            f"{manifest}: it is damaged or not this project's, so nobody can say whose files lie "
            "there. Name another folder with --out, or remove this one and export all again."
        )
    if owner is not None and owner != run.resolve().name:
        raise InputError(
            f"{out} holds the files of the run '{owner}', and one folder speaks of one run. Name "
            "another folder with --out, or remove this one."
        )
    if owner is None and out.is_dir():
        suffixes = {form.suffix for form in FORMATS}
        foreign = sorted(
            entry.name
            for entry in out.iterdir()
            if not entry.name.startswith(".")
            and entry.suffix not in suffixes
            and entry.name not in (MANIFEST_FILE, CONTRACT_FILE, GOLDEN_FILE, PARITY_FILE)
        )
        if foreign:
            raise InputError(
                f"{out} holds something else than an export ({foreign[0]}). Name a new folder with "
                "--out."
            )


def _owner(folder: Path) -> str | None:
    """Name of the run whose files lie in an artifact folder; None without a readable manifest."""
    try:
        manifest = read_json(folder / MANIFEST_FILE)
        return str(manifest["student"]["run"]) if manifest["schema"] == MANIFEST_SCHEMA else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Manifest:
    """The manifest of a folder, kept true while files are delivered one by one.

    A file is withdrawn before it is replaced and listed after, so that a killed export leaves no
    entry that speaks of another content. Until the first file is withdrawn nothing is written.

    Attributes:
        entries: of the listed files, in order of delivery; manifest.json has them in the order of
            the formats. Files of an earlier export stay listed if they are byte for byte what was
            verified then and have the same student and contract.
    """

    def __init__(self, folder: Path, contract: Contract, about: dict[str, Any]) -> None:
        """Reads what an earlier export left.

        Args:
            folder: the artifact folder; it need not exist.
            contract: of the student that is exported now.
            about: what the manifest says of student, split and data; `student` has a `sha256`.
        """
        self._folder, self._contract, self._about = folder, contract, about
        self._provenance = provenance(_PACKAGES)
        contract_text = contract.to_json().encode()
        self._contract_sha256 = hashlib.sha256(contract_text).hexdigest()
        earlier = _read(folder, about["student"]["sha256"], self._contract_sha256)
        self.entries: list[dict[str, Any]] = _unchanged(folder, earlier)
        self._image_sets: dict[str, Any] = earlier.get("image_sets", {}) if self.entries else {}

    def withdraw(self, file: str) -> None:
        """Says no more of a file, which is about to be replaced; the folder now has this contract.

        Raises:
            InputError: the folder cannot be written.
        """
        self.entries = [entry for entry in self.entries if entry["file"] != file]
        write_text(self._folder / CONTRACT_FILE, self._contract.to_json())
        self._write()

    def add(
        self, entry: dict[str, Any], calibration: ImageSet | None, verification: ImageSet
    ) -> dict[str, Any]:
        """Lists a delivered file with the images it was made and checked with; returns the entry.

        Raises:
            InputError: the folder cannot be written.
        """
        for images in (calibration, verification):
            if images is not None:
                self._image_sets[images.sha256] = images.to_json()
        complete = {
            **entry,
            "calibration": None if calibration is None else calibration.sha256,
            "verification": verification.sha256,
            "provenance": self._provenance,
        }
        self.entries.append(complete)
        self._write()
        return complete

    def finish(self, golden_file: str) -> None:
        """Adds the hash of the golden tensors, the last file of an export.

        Raises:
            InputError: the folder cannot be written.
        """
        self._write(golden_sha256=sha256_of(self._folder / golden_file))

    def unlisted_files(self) -> list[str]:
        """Returns model files in the folder that the manifest does not list."""
        listed = {entry["file"] for entry in self.entries}
        suffixes = {form.suffix for form in FORMATS}
        found = {path.name for suffix in suffixes for path in self._folder.glob(f"*{suffix}")}
        return sorted(name for name in found - listed if not name.startswith("."))

    def _write(self, **more: str) -> None:
        used = {entry[key] for entry in self.entries for key in ("calibration", "verification")}
        document = {
            "schema": MANIFEST_SCHEMA,
            "version": VERSION,
            "name": self._contract.name,
            **self._about,
            "contract_sha256": self._contract_sha256,
            **more,
            "image_sets": {sha: found for sha, found in self._image_sets.items() if sha in used},
            "files": sorted(self.entries, key=_place),
        }
        write_json(self._folder / MANIFEST_FILE, document)


def _place(entry: Mapping[str, Any]) -> int:
    """Where a file stands in the list: as in the table of formats, whichever was made first."""
    keys = [form.key for form in FORMATS]
    return keys.index(entry["format"]) if entry["format"] in keys else len(keys)


def _read(folder: Path, student_sha256: str, contract_sha256: str) -> dict[str, Any]:
    """Returns an earlier manifest of the same student and contract; nothing if there is none."""
    try:
        found = read_json(folder / MANIFEST_FILE)
        same = (
            (found["schema"], found["version"]) == (MANIFEST_SCHEMA, VERSION)
            and found["student"]["sha256"] == student_sha256
            and found["contract_sha256"] == contract_sha256
        )
        return dict(found) if same and isinstance(found["image_sets"], dict) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _unchanged(folder: Path, earlier: dict[str, Any]) -> list[dict[str, Any]]:
    def holds(entry: dict[str, Any]) -> bool:
        path = folder / entry["file"]
        return is_plain_name(entry["file"]) and path.exists() and sha256_of(path) == entry["sha256"]

    try:
        return [entry for entry in earlier.get("files", []) if holds(entry)]
    except (OSError, KeyError, TypeError):
        return []


def formats_of(entries: Collection[dict[str, Any]]) -> set[str]:
    """Returns the format keys of some entries."""
    return {str(entry["format"]) for entry in entries}
