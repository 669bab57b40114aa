"""JSON read strictly: every key is asked for by name and type, and one left over is an error."""

from __future__ import annotations

import json
import math
from typing import Any

from runtimes.errors import InputError


def parse_object(text: str, origin: str) -> StrictObject:
    """Parses `text` as one JSON object; duplicate keys, NaN and infinity are refused.

    Args:
        text: the JSON document.
        origin: what errors call it, for example the path of its file.

    Raises:
        InputError: not JSON, or not an object.
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{origin}: this is not valid JSON ({error}). "
            "The file may be truncated; write or fetch it again."
        ) from error
    return StrictObject(value, origin, "")


class StrictObject:
    """One JSON object whose keys are taken one by one; `close` names what nobody took."""

    def __init__(self, value: Any, origin: str, path: str) -> None:
        self.origin, self.path = origin, path
        if not isinstance(value, dict):
            raise self.error("", value, "an object")
        self._value = value
        self._taken: set[str] = set()

    def text(self, key: str) -> str:
        """Takes a string."""
        value = self._take(key)
        if not isinstance(value, str):
            raise self.error(key, value, "a string")
        return value

    def text_or_none(self, key: str) -> str | None:
        """Takes a string or null."""
        value = self._take(key)
        if value is not None and not isinstance(value, str):
            raise self.error(key, value, "a string or null")
        return value

    def flag(self, key: str) -> bool:
        """Takes true or false."""
        value = self._take(key)
        if not isinstance(value, bool):
            raise self.error(key, value, "true or false")
        return value

    def flag_or_none(self, key: str) -> bool | None:
        """Takes true, false or null."""
        return None if self._is_null(key) else self.flag(key)

    def integer(self, key: str) -> int:
        """Takes a whole number."""
        value = self._take(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(key, value, "a whole number")
        return value

    def number(self, key: str) -> float:
        """Takes a finite number."""
        value = self._take(key)
        if not is_number(value):
            raise self.error(key, value, "a number")
        return float(value)

    def number_or_none(self, key: str) -> float | None:
        """Takes a finite number or null."""
        return None if self._is_null(key) else self.number(key)

    def array(self, key: str) -> list[Any]:
        """Takes an array, its elements unchecked."""
        value = self._take(key)
        if not isinstance(value, list):
            raise self.error(key, value, "an array")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Takes an array of strings."""
        values = self.array(key)
        if not all(isinstance(value, str) for value in values):
            raise self.error(key, values, "an array of strings")
        return tuple(values)

    def child(self, key: str) -> StrictObject:
        """Takes an object."""
        return StrictObject(self._take(key), self.origin, self._where(key))

    def child_or_none(self, key: str) -> StrictObject | None:
        """Takes an object or null."""
        return None if self._is_null(key) else self.child(key)

    def children(self, key: str) -> list[StrictObject]:
        """Takes an array of objects."""
        return [
            StrictObject(value, self.origin, f"{self._where(key)}[{position}]")
            for position, value in enumerate(self.array(key))
        ]

    def mapping(self, key: str) -> dict[str, Any]:
        """Takes an object with free keys, its values unchecked."""
        value = self._take(key)
        if not isinstance(value, dict):
            raise self.error(key, value, "an object")
        return value

    def has(self, key: str) -> bool:
        """Tells whether the key is there, whatever its value."""
        return key in self._value

    def content(self) -> dict[str, Any]:
        """Returns the whole object, its values unchecked; it takes no key."""
        return dict(self._value)

    def close(self) -> None:
        """Ends the reading of this object.

        Raises:
            InputError: a key was in the file that nobody asked for.
        """
        unknown = sorted(set(self._value) - self._taken)
        if unknown:
            raise InputError(
                f"{self.origin}: unknown key '{self._where(unknown[0])}'. "
                f"Known keys here are: {', '.join(sorted(self._taken))}."
            )

    def error(self, key: str, found: Any, expected: str) -> InputError:
        """Returns the error for `key` that says what was found and what was expected."""
        place = self._where(key) if key else self.path
        shown = json.dumps(found, ensure_ascii=False, default=str)
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        where = f"'{place}' is" if place else "the document is"
        return InputError(f"{self.origin}: {where} {shown}; expected {expected}.")

    def _is_null(self, key: str) -> bool:
        return self._take(key) is None

    def _take(self, key: str) -> Any:
        if key not in self._value:
            raise InputError(
                f"{self.origin}: the key '{self._where(key)}' is missing. "
                f"Found: {', '.join(map(str, self._value)) or 'nothing'}."
            )
        self._taken.add(key)
        return self._value[key]

    def _where(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def is_number(value: Any) -> bool:
    """Tells whether `value` is a finite number (booleans are not)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the range of float
        return False


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key '{key}' stands twice in one object")
        result[key] = value
    return result


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"{number[:20]} is too large for a number")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")
