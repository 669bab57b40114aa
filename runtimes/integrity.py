"""A model file beside its manifest: whether it is still what was verified."""

from __future__ import annotations

from pathlib import Path

from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.json_files import read_json

MANIFEST_FILE, MANIFEST_SCHEMA = "manifest.json", "dermport.manifest"


def is_plain_name(text: str) -> bool:
    """Whether a name in a manifest is that of a file beside it, and no way elsewhere."""
    return text.isprintable() and text not in ("", ".", "..") and not set(text) & set("/\\:")


def check_unchanged(path: Path) -> None:
    """Compares a model file with the hash in the manifest.json that lies beside it, if any does.

    Some wrong bytes among the weights change the answers and nothing else; only a hash tells.

    Raises:
        InputError: the manifest lists a file of this name with other content, or is damaged.
    """
    expected = _listed(path)
    if expected is None:
        return
    try:
        found = sha256_of(path)
    except OSError as error:
        raise InputError(f"{path}: it cannot be read ({error.strerror or error}).") from error
    if found != expected:
        raise InputError(
            f"{path}: its content is not what was verified at its export (SHA-256 {found[:12]}…, "
            f"{MANIFEST_FILE} beside it says {expected[:12]}…). It was damaged or replaced since: "
            "fetch it again or export it again."
        )


def _listed(path: Path) -> str | None:
    """Returns the hash that the manifest of this project gives for this file name, if any does."""
    manifest = path.parent / MANIFEST_FILE
    if not manifest.exists() or not path.exists():
        return None
    try:
        document = read_json(manifest)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{manifest}: it cannot be read ({error}), so {path.name} cannot be compared with it. "
            "Fetch both again, or export again."
        ) from error
    if not isinstance(document, dict) or document.get("schema") != MANIFEST_SCHEMA:
        return None  # another program's file of that name
    try:
        return {entry["file"]: str(entry["sha256"]) for entry in document["files"]}.get(path.name)
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{manifest}: its list of files is damaged, expected a list with file and sha256 each. "
            "Fetch the folder again or export again."
        ) from error
