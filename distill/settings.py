"""YAML into frozen dataclasses, strictly: an unknown or missing key or a wrong type is an error."""

from __future__ import annotations

import dataclasses
import re
import types
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from runtimes.errors import InputError

T = TypeVar("T")


def read_yaml(path: Path) -> Any:
    """Reads one YAML document with the safe loader.

    Raises:
        InputError: the file is missing or is not YAML.
    """
    import yaml

    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_loader())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # such as a date of month 13
        raise InputError(f"{path} is not valid YAML: {error}") from error


@cache
def _loader() -> Any:
    """PyYAML's safe loader, which would keep the last of two equal keys, made to refuse them."""
    import yaml

    class Loader(yaml.SafeLoader):
        """See `_loader`."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            """Reads a mapping, each key once."""
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            for key in keys:
                if keys.count(key) > 1:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key '{key}' stands twice", node.start_mark
                    )
            return super().construct_mapping(node, deep)

    return Loader


def parse(kind: type[T], value: Any, origin: str, place: str = "") -> T:
    """Turns plain YAML values into the frozen dataclass `kind`.

    Args:
        kind: a dataclass whose fields are numbers, strings, tuples, dictionaries or dataclasses.
        value: a mapping with the fields of `kind`; fields with defaults may be left out.
        origin: the file, for messages.
        place: where in the file, for messages.

    Raises:
        InputError: names the file, the place, what was found and what is possible.
    """
    if not isinstance(value, dict):
        raise InputError(f"{origin}: '{place or 'the document'}' is {value!r}, expected a mapping.")
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in value:
        if key not in fields:
            where = f"{place}.{key}" if place else str(key)
            raise InputError(
                f"{origin}: unknown key '{where}'; possible here: {', '.join(sorted(fields))}."
            )
    found = {}
    for name, field in fields.items():
        where = f"{place}.{name}" if place else name
        if name in value:
            found[name] = _convert(hints[name], value[name], origin, where)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise InputError(f"{origin}: '{where}' is missing.")
    try:
        return kind(**found)
    except ValueError as error:
        raise InputError(f"{origin}: {place or kind.__name__}: {error}") from error


def plain(value: Any) -> Any:
    """The inverse of `parse`: dataclasses and tuples to mappings and lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def _convert(hint: Any, value: Any, origin: str, place: str) -> Any:
    origin_type = get_origin(hint)
    if origin_type in (Union, types.UnionType):
        if value is None and type(None) in get_args(hint):
            return None
        inner = [option for option in get_args(hint) if option is not type(None)]
        return _convert(inner[0], value, origin, place)
    if origin_type is tuple and isinstance(value, list):
        item = get_args(hint)[0]
        pairs = enumerate(value)
        return tuple(_convert(item, part, origin, f"{place}[{i}]") for i, part in pairs)
    if origin_type is dict and isinstance(value, dict):
        item = get_args(hint)[1]
        pairs_ = value.items()
        return {key: _convert(item, part, origin, f"{place}.{key}") for key, part in pairs_}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return parse(hint, value, origin, place)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint in (int, str, bool) and type(value) is hint:
        return value
    wanted = getattr(hint, "__name__", str(hint))
    advice = ""
    if hint is float and isinstance(value, str) and re.fullmatch(r"[-+]?\d+[eE][-+]?\d+", value):
        advice = f" YAML reads a number without a point as text; write {_with_point(value)}."
    raise InputError(f"{origin}: '{place}' is {value!r}, expected {wanted}.{advice}")


def _with_point(number: str) -> str:
    digits, exponent = number.lower().split("e")
    return f"{digits}.0e{exponent}"
