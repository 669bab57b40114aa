"""The files of an export, as its manifest lists them."""

from __future__ import annotations

from pathlib import Path

from runtimes.errors import InputError
from runtimes.integrity import MANIFEST_FILE, is_plain_name
from runtimes.json_files import read_json


def listed_files(artifacts: Path) -> tuple[dict[str, str], str]:
    """Returns format to file name as the folder's manifest lists them, and the student's hash.

    Raises:
        InputError: no manifest, one without files, or with a path that leads elsewhere.
    """
    path = artifacts / MANIFEST_FILE
    try:
        manifest = read_json(path)
        entries = [(str(entry["format"]), str(entry["file"])) for entry in manifest["files"]]
        student = str(manifest["student"]["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} does not list an export's files ({error}). Name a folder that "
            "`python -m export run` wrote."
        ) from error
    files = dict(entries)
    if not files or len(files) < len(entries):
        what = "no file" if not files else "a format twice"
        raise InputError(f"{path} lists {what}; export the run again.")
    for file in files.values():
        if not is_plain_name(file):
            raise InputError(f"{path} lists {file!a}, which is no file of its folder.")
    return files, student
