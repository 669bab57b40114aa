"""A JSON file that a report stands on: read once, checked, and kept byte for byte."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtimes.errors import InputError
from runtimes.strict_json import StrictObject, parse_object

MOST_BYTES = 20_000_000
_DEEPEST, _LONGEST = 30, 20_000


@dataclass(frozen=True)
class Document:
    """A file as it was read.

    Attributes:
        role: what it is to the report, for example "latency".
        path: where it lay.
        copy: its path in the report's folder.
        content: its bytes.
        root: the same as JSON.
    """

    role: str
    path: Path
    copy: str
    content: bytes
    root: StrictObject

    @property
    def sha256(self) -> str:
        """Of the content."""
        return hashlib.sha256(self.content).hexdigest()


def read_document(path: Path, role: str, copy: str) -> Document:
    """Reads a JSON object that anybody may have written.

    Raises:
        InputError: it is no file, too large, no JSON object, nested too deeply, or has a text that
            is too long or cannot be written.
    """
    try:
        if not path.is_file():
            what = "this is no file" if path.exists() else "there is no such file"
            raise InputError(f"{path}: {what}. Name one that a verb wrote with --json.")
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: it cannot be read ({error.strerror or error}).") from error
    if len(content) > MOST_BYTES:
        raise InputError(
            f"{path}: it is larger than {MOST_BYTES / 1e6:.0f} MB, which no result is. Name the "
            "file that a verb wrote with --json."
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: it is no UTF-8 ({error.reason}). Write it again.") from error
    root = parse_object(text, str(path))
    _check(root.content(), str(path))
    return Document(role, path, copy, content, root)


def _check(value: Any, origin: str) -> None:
    """Looks at every text and at the depth, without recursion."""
    waiting: list[tuple[Any, str, int]] = [(value, "", 0)]
    while waiting:
        found, place, depth = waiting.pop()
        if depth > _DEEPEST:
            raise InputError(f"{origin}: '{place[:200]}' is nested too deeply to be a result.")
        if isinstance(found, str):
            _check_text(found, place, origin)
        elif isinstance(found, list):
            waiting += [(item, f"{place}[{i}]", depth + 1) for i, item in enumerate(found)]
        elif isinstance(found, dict):
            for key, item in found.items():
                _check_text(key, place, origin)
                waiting.append((item, f"{place}.{key}" if place else key, depth + 1))


def _check_text(text: str, place: str, origin: str) -> None:
    if len(text) > _LONGEST:
        raise InputError(
            f"{origin}: '{place[:200]}' has a text of {len(text):,} characters; expected at most "
            f"{_LONGEST:,}."
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError(
            f"{origin}: a text at '{place.encode('ascii', 'replace').decode()[:200]}' is no valid "
            "Unicode. Write the file again."
        )
