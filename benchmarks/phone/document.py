"""The record of a measurement on phones: written after every run, and gone on with later."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from benchmarks.latency.files import TimedFile
from benchmarks.phone.cooling import CoolDown
from benchmarks.phone.facts import Facts
from benchmarks.phone.record_file import (
    check_settings,
    differing,
    file_to_json,
    open_record,
    phone_to_json,
    read_phones,
)
from benchmarks.phone.records import Ask, Row
from benchmarks.phone.runner import Amount, Runner
from runtimes.atomic import write_json
from runtimes.errors import InputError

SCHEMA, VERSION = "dermport.phone", "1.0"


@dataclass(frozen=True)
class Settings:
    """What is run on every phone, and how."""

    files: tuple[TimedFile, ...]
    threads: tuple[int, ...]
    delegates: tuple[str, ...]
    amount: Amount
    cool_down: CoolDown
    runner: Runner

    def asks(self) -> tuple[Ask, ...]:
        """Every run of one phone, file by file."""
        return tuple(
            Ask(file.name, threads, delegate)
            for file in self.files
            for threads in self.threads
            for delegate in self.delegates
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, without paths."""
        return {
            "runner": self.runner.describe(),
            "threads": list(self.threads),
            "delegates": list(self.delegates),
            "runs": self.amount.runs,
            "seconds": self.amount.seconds,
            "limit_s": self.amount.limit,
            "cool_down": asdict(self.cool_down),
            "files": [file_to_json(file) for file in self.files],
        }


@dataclass
class Document:
    """Rows of all phones, kept in a file if there is one; several threads may add to it.

    Attributes:
        settings: the same for all rows.
        path: of the file, or None.
        facts: of each phone, by its id.
        rows: of each phone, in the order in which they were made.
    """

    settings: Settings
    path: Path | None
    facts: dict[str, Facts] = field(default_factory=dict)
    rows: dict[str, dict[Ask, Row]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add_phone(self, phone: str, facts: Facts) -> None:
        """Begins or goes on with the rows of a phone.

        Raises:
            InputError: its rows were made when it had another system.
        """
        known = self.facts.setdefault(phone, facts)
        if change := differing(known.to_json(), facts.to_json()):
            raise InputError(
                f"{self.path}: phone {phone} is no longer what it was ({change}). "
                "Measure it anew with another --json."
            )
        self.rows.setdefault(phone, {})

    def left(self, phone: str) -> tuple[Ask, ...]:
        """What is still to be run on a phone; what had a fault is tried again."""
        done = {ask for ask, row in self.rows[phone].items() if row.figures is not None}
        return tuple(ask for ask in self.settings.asks() if ask not in done)

    def add(self, phone: str, row: Row) -> None:
        """Keeps a row.

        Raises:
            InputError: the file cannot be written.
        """
        with self._lock:
            self.rows[phone][row.ask] = row
            if self.path is not None:
                write_json(self.path, self.to_json())

    def finished(self, phone: str) -> bool:
        """Whether every run of a phone has a row."""
        return all(ask in self.rows[phone] for ask in self.settings.asks())

    def to_json(self) -> dict[str, Any]:
        """Plain values, without paths and serial numbers."""
        phones = [
            phone_to_json(phone, self.facts[phone], self.finished(phone), rows)
            for phone, rows in self.rows.items()
        ]
        head = {"schema": SCHEMA, "version": VERSION}
        return {**head, "settings": self.settings.to_json(), "phones": phones}


def open_document(settings: Settings, path: Path | None, resume: bool) -> Document:
    """Returns a new document, or with `resume` the one in the file, if there is one.

    Raises:
        InputError: `resume` without a file; the file was made with other settings, is damaged, or
            holds an unfinished measurement that would be lost.
    """
    document = Document(settings, path)
    if path is None:
        if resume:
            raise InputError("--resume goes on with the file of --json; name that too.")
        return document
    if not path.exists():
        return document
    if not resume:
        _refuse_to_lose(path)
        return document
    _read_into(document, path)
    return document


def _refuse_to_lose(path: Path) -> None:
    try:
        kept = open_record(path, SCHEMA, VERSION)
        unfinished = [not phone.flag("finished") for phone in kept.children("phones")]
    except InputError:
        return  # another program's file, or a damaged one: replaced as any result is
    if any(unfinished):
        raise InputError(
            f"{path} holds an unfinished measurement. Add --resume to go on with it, or name "
            "another --json."
        )


def _read_into(document: Document, path: Path) -> None:
    kept = open_record(path, SCHEMA, VERSION)
    check_settings(kept, document.settings.to_json(), path)
    asks = document.settings.asks()
    for name, facts, rows in read_phones(kept, asks, path, Facts.from_json, Row.from_json):
        document.facts[name], document.rows[name] = facts, rows
    kept.close()
