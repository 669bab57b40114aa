"""The record of a measurement on phones: written after every run, and gone on with later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from benchmarks.latency.files import TimedFile
from benchmarks.phone.cooling import CoolDown
from benchmarks.phone.facts import Facts
from benchmarks.phone.records import Ask, Row
from benchmarks.phone.runner import Amount, Runner
from runtimes.atomic import write_json
from runtimes.errors import InputError
from runtimes.strict_json import StrictObject, parse_object

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
            "files": [
                {"name": f.name, "format": f.format, "size": f.size, "sha256": f.sha256}
                for f in self.files
            ],
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
            {
                "id": phone,
                "facts": self.facts[phone].to_json(),
                "finished": self.finished(phone),
                "rows": [row.to_json() for row in rows.values()],
            }
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
        kept = _open(path)
        unfinished = [not phone.flag("finished") for phone in kept.children("phones")]
    except InputError:
        return  # another program's file, or a damaged one: replaced as any result is
    if any(unfinished):
        raise InputError(
            f"{path} holds an unfinished measurement. Add --resume to go on with it, or name "
            "another --json."
        )


def _open(path: Path) -> StrictObject:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: it cannot be read ({error}). Name another --json.") from error
    found = parse_object(text, str(path))
    schema, version = found.text("schema"), found.text("version")
    if (schema, version) != (SCHEMA, VERSION):
        raise InputError(
            f"{path}: it is a {schema} {version}; expected {SCHEMA} {VERSION}. Name another --json."
        )
    return found


def _read_into(document: Document, path: Path) -> None:
    kept = _open(path)
    change = differing(kept.mapping("settings"), document.settings.to_json())
    if change:
        raise InputError(
            f"{path} was made with other settings ({change}). Use those, or name another --json."
        )
    asks = set(document.settings.asks())
    for phone in kept.children("phones"):
        name = phone.text("id")
        document.facts[name] = Facts.from_json(phone.child("facts"))
        phone.flag("finished")
        rows = [Row.from_json(row) for row in phone.children("rows")]
        phone.close()
        if any(row.ask not in asks for row in rows):
            raise InputError(f"{path}: it holds runs that its settings do not name. It is damaged.")
        document.rows[name] = {row.ask: row for row in rows}
    kept.close()


def differing(old: dict[str, Any], new: dict[str, Any], before: str = "") -> str:
    """Names the first value that differs, as "name: old, now new"; "" if all are equal.

    Args:
        old: plain values as JSON has them.
        new: likewise.
        before: the name of the object that both are.
    """
    for name in (*old, *(name for name in new if name not in old)):
        was, now = old.get(name), new.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            if inner := differing(was, now, f"{before}{name}."):
                return inner
        elif was != now:
            return f"{before}{name}: {_brief(was, now)}, now {_brief(now, was)}"
    return ""


def _brief(value: Any, other: Any) -> str:
    """A value as text; of a list of objects only what the other list does not have."""
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        own = [v for v in value if not isinstance(other, list) or v not in other]
        shown: Sequence[str] = [f"{v.get('name')} {str(v.get('sha256'))[:12]}" for v in own]
        return " and ".join(shown) or "the same in another order or number"
    return str(value)[:100]
