"""The file that keeps a measurement on phones, by cable or in browsers: read and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from benchmarks.latency.files import TimedFile
from benchmarks.phone.records import Ask
from runtimes.errors import InputError
from runtimes.strict_json import StrictObject, parse_object


class _Row(Protocol):
    """What was measured of one run."""

    @property
    def ask(self) -> Ask: ...

    def to_json(self) -> dict[str, Any]: ...


class _Facts(Protocol):
    """What is known about a phone."""

    def to_json(self) -> dict[str, Any]: ...


_R = TypeVar("_R", bound=_Row)
_F = TypeVar("_F", bound=_Facts)


def open_record(path: Path, schema: str, version: str) -> StrictObject:
    """Reads the file.

    Args:
        path: of the file.
        schema: that it has to have.
        version: likewise.

    Raises:
        InputError: it cannot be read, is no JSON, or is another record.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: it cannot be read ({error}). Name another --json.") from error
    kept = parse_object(text, str(path))
    found = kept.text("schema"), kept.text("version")
    if found != (schema, version):
        raise InputError(
            f"{path}: it is a {' '.join(found)}; expected {schema} {version}. Name another --json."
        )
    return kept


def check_settings(kept: StrictObject, settings: Mapping[str, Any], path: Path) -> None:
    """Compares the settings of a file with those of now.

    Raises:
        InputError: they differ.
    """
    if change := differing(kept.mapping("settings"), dict(settings)):
        raise InputError(
            f"{path} was made with other settings ({change}). Use those, or name another --json."
        )


def read_phones(
    kept: StrictObject,
    asks: Sequence[Ask],
    path: Path,
    facts_of: Callable[[StrictObject], _F],
    row_of: Callable[[StrictObject], _R],
) -> Iterator[tuple[str, _F, dict[Ask, _R]]]:
    """Yields id, facts and rows of every phone in a file.

    Raises:
        InputError: a phone is in it twice, or has runs that the settings do not name.
    """
    seen: set[str] = set()
    for phone in kept.children("phones"):
        name, facts = phone.text("id"), facts_of(phone.child("facts"))
        phone.flag("finished")
        rows = {row.ask: row for row in map(row_of, phone.children("rows"))}
        phone.close()
        if name in seen or not rows.keys() <= set(asks):
            raise InputError(
                f"{path}: phone {name!a} is in it twice, or has runs that its settings do not "
                "name. It is damaged; name another --json."
            )
        seen.add(name)
        yield name, facts, rows


def phone_to_json(
    phone: str, facts: _Facts, finished: bool, rows: Mapping[Ask, _Row]
) -> dict[str, Any]:
    """What `read_phones` reads back."""
    return {
        "id": phone,
        "facts": facts.to_json(),
        "finished": finished,
        "rows": [row.to_json() for row in rows.values()],
    }


def file_to_json(file: TimedFile) -> dict[str, Any]:
    """A file that is measured, without its path."""
    return {"name": file.name, "format": file.format, "size": file.size, "sha256": file.sha256}


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
