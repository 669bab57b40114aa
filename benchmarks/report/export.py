"""The export that a report speaks of: its files, the student they came from, their check."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report.document import Document, read_document
from benchmarks.report.fields import count, number, sha256, share
from runtimes.contract import Contract
from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.integrity import MANIFEST_FILE, MANIFEST_SCHEMA, is_plain_name
from runtimes.strict_json import StrictObject

CONTRACT_FILE, CHECK_FILE = "contract.json", "parity.json"
_CHECK_SCHEMA = "dermport.parity"
_FORMAT = re.compile(r"[a-z]+:[a-z0-9-]+")


@dataclass(frozen=True)
class Check:
    """What the export itself found on a few validation images before it delivered a file.

    Attributes:
        images: how many.
        agreement: share of them with torch's first diagnosis.
        probability: largest difference of any probability.
        verified_with: the runtime.
    """

    images: int
    agreement: float
    probability: float
    verified_with: str


@dataclass(frozen=True)
class ExportedFile:
    """A file as the manifest lists it.

    Attributes:
        format: its key in the table of formats.
        file: its name.
        bytes: its size.
        sha256: of its content.
        runs_on: in words.
        unlike: how the file on disk is unlike this, in words; "" if it is not.
        check: of the export; None where its parity.json has no row.
    """

    format: str
    file: str
    bytes: int
    sha256: str
    runs_on: str
    unlike: str
    check: Check | None


@dataclass(frozen=True)
class Export:
    """A folder that `python -m export run` wrote.

    Attributes:
        name: of the model.
        architecture: of the student.
        student: SHA-256 of its weights.
        synthetic: whether the data set is drawn.
        contract: what travels with every file.
        files: in the manifest's order.
        undelivered: format to the reason why it was not delivered.
        documents: the JSON files of the folder.
    """

    name: str
    architecture: str
    student: str
    synthetic: bool
    contract: Contract
    files: tuple[ExportedFile, ...]
    undelivered: dict[str, str]
    documents: tuple[Document, ...]

    def by_hash(self) -> dict[str, ExportedFile]:
        """SHA-256 to file."""
        return {file.sha256: file for file in self.files}


def read_export(folder: Path) -> Export:
    """Reads manifest, contract and parity of an export folder, and hashes its files.

    Raises:
        InputError: no export, or one of the three is damaged or of another student.
    """
    if not (folder / MANIFEST_FILE).is_file():
        raise InputError(
            f"{folder} has no {MANIFEST_FILE}. Name a folder that `python -m export run` wrote."
        )
    manifest = read_document(folder / MANIFEST_FILE, "manifest", "data/manifest.json")
    top = manifest.root
    if top.text("schema") != MANIFEST_SCHEMA:
        raise top.error("schema", top.text("schema"), f"'{MANIFEST_SCHEMA}'")
    student = top.child("student")
    key = sha256(student, "sha256")
    contract = read_document(folder / CONTRACT_FILE, "contract", "data/contract.json")
    documents = [manifest, contract]
    checks: dict[str, Check] = {}
    undelivered: dict[str, str] = {}
    if (folder / CHECK_FILE).is_file():
        check = read_document(folder / CHECK_FILE, "export check", "data/export-check.json")
        checks, undelivered = _checks(check, key)
        documents.append(check)
    files = tuple(_file(item, folder, checks) for item in top.children("files"))
    formats = [file.format for file in files]
    if not files or len(set(formats)) < len(files):
        what = "a format twice" if files else "no file"
        raise InputError(f"{manifest.path}: 'files' lists {what}. Export the run again.")
    return Export(
        name=top.text("name"),
        architecture=student.text("architecture"),
        student=key,
        synthetic=top.flag("synthetic"),
        contract=Contract.from_json(contract.content.decode(), str(contract.path)),
        files=files,
        undelivered={form: why for form, why in undelivered.items() if form not in formats},
        documents=tuple(documents),
    )


def _file(item: StrictObject, folder: Path, checks: dict[str, Check]) -> ExportedFile:
    form, name = item.text("format"), item.text("file")
    if not _FORMAT.fullmatch(form):
        raise item.error("format", form, "a format such as 'onnx:fp32'")
    if not is_plain_name(name):
        raise item.error("file", name, "the name of a file of this folder")
    expected = sha256(item, "sha256")
    unlike, path = "", folder / name
    if not path.exists():
        unlike = "it is not in the folder"
    elif sha256_of(path) != expected:
        unlike = "its content is not what the manifest lists: it was changed since its export"
    return ExportedFile(
        format=form,
        file=name,
        bytes=count(item, "bytes", 1),
        sha256=expected,
        runs_on=item.text("runs_on"),
        unlike=unlike,
        check=checks.get(form),
    )


def _checks(document: Document, student: str) -> tuple[dict[str, Check], dict[str, str]]:
    top = document.root
    if top.text("schema") != _CHECK_SCHEMA:
        raise top.error("schema", top.text("schema"), f"'{_CHECK_SCHEMA}'")
    found = sha256(top.child("student"), "sha256")
    if found != student:
        raise InputError(
            f"{document.path}: 'student.sha256' is {found[:12]}…, but the manifest beside it names "
            f"{student[:12]}…. Export the run again."
        )
    checks, undelivered = {}, {}
    for row in top.children("rows"):
        form = row.text("format")
        if row.text("verdict") != "passed":
            undelivered[form] = row.text("problem")
        elif (parity := row.child_or_none("parity")) is not None:
            checks[form] = Check(
                images=count(parity, "images", 1),
                agreement=share(parity, "agreement"),
                probability=number(parity, "probability", 0, 1),
                verified_with=row.text("verified_with"),
            )
    return checks, undelivered
