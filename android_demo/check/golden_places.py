"""Golden reading: every place of a contract changed, and whether Python still reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from android_demo.check.golden_decisions import Change
from runtimes.contract import Contract
from runtimes.errors import InputError
from runtimes.strict_json import parse_object

# The version as released, and one that may carry more.
_VERSIONS = ("1.2", "1.3")
_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0.5, 8, 5000, "", "x"),
    *([], [1], [[0.5], [2]], [None], {}, {"x": 1}),
)
_ADDED = "colour"
# Texts that are JSON objects, or nearly.
_TEXTS = (
    *("{}", " \t\r\n{} ", "\u000b{}", "\u00a0{}", "\ufeff{}", "{} x", "{},", "{}{}", "{", "", "[]"),
    *(
        "1",
        "null",
        '"a"',
        '"',
        '{"a"',
        '{"a":',
        "{'a': 1}",
        "{a: 1}",
        "{1: 2}",
        '{"": 1}',
        '{"a" 1}',
    ),
    *('{"a": }', '{"a": 1,}', '{"a": 1 "b": 2}', '{"a": 1, "a": 1}', '{"a": {"b": {"a": 1}}}'),
    *('{"a": [1,]}', '{"a": [1 2]}', '{"a": [,]}', '{"a": [1, [2, []]]}', '{"a": // b\n1}'),
    *('{"a": NaN}', '{"a": Infinity}', '{"a": -Infinity}', '{"a": +1}', '{"a": .5}', '{"a": 1.}'),
    *(
        '{"a": 01}',
        '{"a": -01}',
        '{"a": -0}',
        '{"a": -}',
        '{"a": 1e5}',
        '{"a": 1E+05}',
        '{"a": 1e}',
    ),
    *('{"a": 1e-400}', '{"a": 0x1}', '{"a": 1_0}', '{"a": 1٣}', '{"a": 99999999999999999999}'),
    *('{"a": True}', '{"a": nul}', '{"a": null1}', '{"a": truefalse}', '{"a": nan}', '{"a": "b}'),
    *('{"a": "\t"}', '{"a": "\u007f"}', r'{"a": "\t\/\b"}', r'{"a": "\x"}', r'{"a": "\"}'),
    *(r'{"a": "\u12"}', r'{"a": "\u12g4"}', r'{"a": "\u+123"}', r'{"a": "\u00E9"}'),
    *(r'{"a": "\ud83d\ude00"}', r'{"a": "\ud83d"}', r'{"\u0061": 1, "a": 1}'),
)


def golden_places(released: str) -> str:
    """Returns places.json: what Python reads of changed contracts and of texts close to JSON.

    Every place has one character a value, "1" where Python reads it. The first character is for
    the place removed, or for the released contract itself where no contract has that key.

    Args:
        released: contract.json of the released student.
    """
    document = json.loads(released)
    rows = [
        json.dumps({"path": list(path), **_row(document, path)})
        for path in _places(document)
        if path != ("version",)
    ]
    values = json.dumps(list(_VALUES), allow_nan=False)
    texts = [json.dumps({"text": text, "read": _is_object(text)}) for text in _TEXTS]
    return (
        f'{{\n"values": {values},\n"places": [\n'
        + ",\n".join(rows)
        + '\n],\n"texts": [\n'
        + ",\n".join(texts)
        + "\n]\n}\n"
    )


def _is_object(text: str) -> bool:
    try:
        parse_object(text, "text")
    except InputError:
        return False
    return True


def _places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths below a value, and in every object a key that is not there.

    Of a list the first and the last element have to do for all.
    """
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
        yield (*path, _ADDED)
    elif isinstance(value, list):
        inner = [(i, value[i]) for i in sorted({0, len(value) - 1}) if value]
    for key, child in inner:
        yield (*path, key)
        yield from _places(child, (*path, key))


def _row(document: Any, path: tuple[str | int, ...]) -> dict[str, str]:
    missing = path[-1] == _ADDED
    first = () if missing else (Change(path),)
    ways = (first, *((Change(path, value),) for value in _VALUES))
    return {
        version: "".join(_read(document, version, way) for way in ways) for version in _VERSIONS
    }


def _read(document: Any, version: str, changes: tuple[Change, ...]) -> str:
    changed = json.loads(json.dumps(document))
    changed["version"] = version
    for change in changes:
        change.apply(changed)
    try:
        Contract.from_json(json.dumps(changed), "contract.json")
    except InputError:
        return "0"
    return "1"
