"""Whether figures speak of this export: by the hashes of the student and of the files."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.report.document import Document
from benchmarks.report.export import Export
from benchmarks.report.fields import sha256
from runtimes.errors import InputError
from runtimes.strict_json import StrictObject


def same_student(document: Document, export: Export, remake: str) -> bool:
    """Tells whether a document names this export's student; False where it names none.

    Args:
        document: with, since the version that writes it, `student.sha256`.
        export: of the report.
        remake: the command that writes it anew.

    Raises:
        InputError: it names another student.
    """
    if not document.root.has("student"):
        return False
    found = sha256(document.root.child("student"), "sha256")
    if found != export.student:
        raise InputError(
            f"{document.path}: 'student.sha256' is {found[:12]}…, but the files of {export.name} "
            f"come from {export.student[:12]}…. These figures are of another student: run "
            f"`{remake}`."
        )
    return True


def check_any(
    document: Document, export: Export, hashes: Sequence[str], key: str, remake: str
) -> None:
    """Checks that at least one of the files of a document is of this export.

    Raises:
        InputError: none is.
    """
    if hashes and not set(hashes) & set(export.by_hash()):
        raise InputError(
            f"{document.path}: no SHA-256 in '{key}' is that of a file of {export.name} (found "
            f"{', '.join(found[:12] + '…' for found in hashes[:3])}). These figures are of other "
            f"files: run `{remake}`."
        )


def owner(item: StrictObject, export: Export) -> str:
    """Returns the format of this export's file with the hash of `item`; "" if none has it."""
    file = export.by_hash().get(sha256(item, "sha256"))
    return "" if file is None else file.format
