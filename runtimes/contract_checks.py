"""What reading a contract checks everywhere: a value in its range, and no key left over."""

from __future__ import annotations

from typing import Any

from runtimes.errors import InputError
from runtimes.strict_json import StrictObject, is_number


class ContractValueError(InputError):
    """A value outside its range; `Contract.from_json` puts the origin in front."""


def require(fits: bool, key: str, found: Any, expected: str) -> None:
    """Raises ContractValueError, with what was found and expected, unless the value fits."""
    if not fits:
        raise ContractValueError(f"the contract's '{key}' is {found!r}; expected {expected}.")


def close(item: StrictObject, newer: bool) -> None:
    """Refuses keys that nobody asked for, except in a contract of a newer minor version."""
    if not newer:
        item.close()


def is_numeric(value: Any) -> bool:
    """Tells whether a value is a finite number, or (nested) lists of them."""
    if isinstance(value, list | tuple):
        return all(map(is_numeric, value))
    return is_number(value)
