"""Figures taken from JSON: each within what it can be, or an error that names file and key."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runtimes.strict_json import StrictObject

LARGEST = 1e15
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval; all None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None


def number(item: StrictObject, key: str, least: float, most: float) -> float:
    """Takes a number from `least` to `most`."""
    value = item.number(key)
    if not least <= value <= most:
        raise item.error(key, value, f"a number from {least:g} to {most:g}")
    return value


def share(item: StrictObject, key: str) -> float:
    """Takes a number from 0 to 1."""
    return number(item, key, 0.0, 1.0)


def share_or_none(item: StrictObject, key: str) -> float | None:
    """Takes a number from 0 to 1, or null."""
    return None if item.number_or_none(key) is None else share(item, key)


def positive(item: StrictObject, key: str) -> float:
    """Takes a number above 0."""
    value = item.number(key)
    if not 0 < value <= LARGEST:
        raise item.error(key, value, f"a number above 0 and up to {LARGEST:g}")
    return value


def count(item: StrictObject, key: str, least: int = 0) -> int:
    """Takes a whole number of at least `least`."""
    value = item.integer(key)
    if not least <= value <= LARGEST:
        raise item.error(key, value, f"a whole number from {least} to {LARGEST:g}")
    return value


def interval(item: StrictObject, key: str, least: float = 0.0, most: float = 1.0) -> Interval:
    """Takes an object of value, low and high, all numbers from `least` to `most` or all null."""
    found = item.child(key)
    values = tuple(found.number_or_none(name) for name in ("value", "low", "high"))
    if values == (None, None, None):
        return Interval(None, None, None)
    result = Interval(*(number(found, name, least, most) for name in ("value", "low", "high")))
    assert result.low is not None
    assert result.high is not None
    if result.low > result.high:
        raise found.error("low", result.low, f"at most high, which is {result.high:g}")
    return result


def sha256(item: StrictObject, key: str) -> str:
    """Takes a SHA-256 in hexadecimal digits."""
    text = item.text(key)
    if not _SHA256.fullmatch(text):
        raise item.error(key, text, "a SHA-256, 64 hexadecimal digits")
    return text


def text_or_empty(item: StrictObject, key: str) -> str:
    """Takes a string; "" where the key is absent or null."""
    return (item.text_or_none(key) or "") if item.has(key) else ""
