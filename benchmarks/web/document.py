"""The record of measurements in browsers: written after every file, and added to later."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.latency.files import LITERT, TimedFile
from benchmarks.phone.document import differing
from benchmarks.phone.records import Ask
from benchmarks.web.packages import LITERT as LITERT_JS
from benchmarks.web.packages import ORT
from benchmarks.web.records import WASM, Facts, Row
from distill.provenance import provenance
from runtimes.atomic import write_json
from runtimes.errors import InputError
from runtimes.strict_json import StrictObject, parse_object

SCHEMA, VERSION = "dermport.web", "1.0"
MOST_PHONES = 20


def runtime_of(file: TimedFile) -> str:
    """What runs a file in a browser, with its version."""
    litert = file.runtime == LITERT
    return f"LiteRT.js {LITERT_JS.version}" if litert else f"ONNX Runtime Web {ORT.version}"


@dataclass(frozen=True)
class Settings:
    """What is run in every browser.

    Attributes:
        files: .tflite and .onnx.
        threads: of the CPU.
        runs: of each file, at least.
        seconds: of each file, at least.
        limit: seconds after which a file hangs, what it has to fetch apart.
    """

    files: tuple[TimedFile, ...]
    threads: tuple[int, ...]
    runs: int
    seconds: float
    limit: float

    def asks(self) -> tuple[Ask, ...]:
        """Every run of one phone, file by file."""
        return tuple(
            Ask(file.name, threads, WASM) for file in self.files for threads in self.threads
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, without paths."""
        return {
            "threads": list(self.threads),
            "runs": self.runs,
            "seconds": self.seconds,
            "limit_s": self.limit,
            "files": [
                {
                    **{"name": f.name, "format": f.format, "size": f.size, "sha256": f.sha256},
                    "runtime": runtime_of(f),
                }
                for f in self.files
            ],
        }


@dataclass
class Document:
    """Rows of all phones, kept in a file if there is one; its user guards it against threads.

    Attributes:
        settings: the same for all rows.
        path: of the file, or None.
        facts: of each phone, by its id.
        rows: of each phone, by what was asked.
    """

    settings: Settings
    path: Path | None
    facts: dict[str, Facts] = field(default_factory=dict)
    rows: dict[str, dict[Ask, Row]] = field(default_factory=dict)

    def left(self, phone: str, again: bool = False) -> tuple[Ask, ...]:
        """What is still to be run in a browser; with `again` also what had a fault."""
        rows = self.rows[phone]
        return tuple(
            ask
            for ask in self.settings.asks()
            if ask not in rows or (again and rows[ask].figures is None)
        )

    def add(self, phone: str, row: Row) -> None:
        """Keeps a row, and writes the file.

        Raises:
            InputError: the file cannot be written; the row is kept, for the next write.
        """
        self.rows[phone][row.ask] = row
        self.save()

    def save(self) -> None:
        """Writes the file, if there is one.

        Raises:
            InputError: it cannot be written.
        """
        if self.path is not None:
            write_json(self.path, self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Plain values; phones of which no file ran are left out."""
        phones = [
            {
                "id": phone,
                "facts": self.facts[phone].to_json(),
                "finished": not self.left(phone),
                "rows": [row.to_json() for row in rows.values()],
            }
            for phone, rows in self.rows.items()
            if rows
        ]
        return {
            **{"schema": SCHEMA, "version": VERSION},
            **{"settings": self.settings.to_json(), "phones": phones},
            "provenance": provenance(()),
        }


def open_document(settings: Settings, path: Path | None) -> Document:
    """Returns a new document, or the one in the file with the phones that are in it.

    Raises:
        InputError: the file was made with other settings, or is no such record.
    """
    document = Document(settings, path)
    if path is None or not path.exists():
        return document
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: it cannot be read ({error}). Name another --json.") from error
    kept = parse_object(text, str(path))
    schema, version = kept.text("schema"), kept.text("version")
    if (schema, version) != (SCHEMA, VERSION):
        raise InputError(
            f"{path}: it is a {schema} {version}; expected {SCHEMA} {VERSION}. Name another --json."
        )
    if change := differing(kept.mapping("settings"), settings.to_json()):
        raise InputError(
            f"{path} was made with other settings ({change}). Use those, name another --json, or "
            "move it away."
        )
    for phone in kept.children("phones"):
        _read_phone(document, phone)
    return document


def _read_phone(document: Document, phone: StrictObject) -> None:
    name, facts = phone.text("id"), Facts.from_json(phone.child("facts"))
    rows = [Row.from_json(row) for row in phone.children("rows")]
    phone.flag("finished")
    phone.close()
    known = document.settings.asks()
    if name in document.facts or any(row.ask not in known for row in rows):
        raise InputError(
            f"{document.path}: phone {name!a} is in it twice, or has rows that its settings do not "
            "name. It is damaged; name another --json."
        )
    document.facts[name] = facts
    document.rows[name] = {row.ask: row for row in rows}
