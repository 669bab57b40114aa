"""The record of measurements in browsers: written after every file, and added to later."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.latency.files import LITERT, TimedFile
from benchmarks.phone.record_file import (
    check_settings,
    file_to_json,
    open_record,
    phone_to_json,
    read_phones,
)
from benchmarks.phone.records import Ask
from benchmarks.web.packages import LITERT as LITERT_JS
from benchmarks.web.packages import ORT
from benchmarks.web.records import WASM, Facts, Row
from distill.provenance import provenance
from runtimes.atomic import write_json

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
            "files": [{**file_to_json(file), "runtime": runtime_of(file)} for file in self.files],
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
            phone_to_json(phone, self.facts[phone], not self.left(phone), rows)
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
    kept = open_record(path, SCHEMA, VERSION)
    check_settings(kept, settings.to_json(), path)
    asks = settings.asks()
    for name, facts, rows in read_phones(kept, asks, path, Facts.from_json, Row.from_json):
        document.facts[name], document.rows[name] = facts, rows
    return document
