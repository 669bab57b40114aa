"""As much of JSON Schema as docs/report.schema.json uses; an unknown keyword is an error."""

from __future__ import annotations

import re
from typing import Any

_TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}
_ABOUT = {"$schema", "$id", "title", "description", "$defs"}


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any], place: str = "$") -> list[str]:
    """Says where a value is not as the schema asks."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        return faults(value, root["$defs"][name], root, place)
    found: list[str] = []
    for keyword, asked in schema.items():
        if keyword == "type":
            kinds = asked if isinstance(asked, list) else [asked]
            if not any(_is(value, kind) for kind in kinds):
                return [f"{place}: {value!r} is no {kinds}"]
        elif keyword == "const":
            found += [] if value == asked else [f"{place}: {value!r} is not {asked!r}"]
        elif keyword == "enum":
            found += [] if value in asked else [f"{place}: {value!r} is none of {asked}"]
        elif keyword == "pattern":
            found += [] if re.search(asked, value) else [f"{place}: {value!r} is not {asked}"]
        elif keyword == "minimum":
            found += [] if value >= asked else [f"{place}: {value!r} is below {asked}"]
        elif keyword == "maximum":
            found += [] if value <= asked else [f"{place}: {value!r} is above {asked}"]
        elif keyword == "anyOf":
            tried = [faults(value, one, root, place) for one in asked]
            found += [] if not all(tried) else tried[0]
        elif keyword == "items":
            for i, item in enumerate(value or []):
                found += faults(item, asked, root, f"{place}[{i}]")
        elif keyword == "required":
            found += [
                f"{place}: no {key}" for key in asked if value is not None and key not in value
            ]
        elif keyword == "properties":
            for key, one in asked.items():
                if value is not None and key in value:
                    found += faults(value[key], one, root, f"{place}.{key}")
        elif keyword == "additionalProperties":
            for key in (value or {}).keys() - schema.get("properties", {}).keys():
                found += faults(value[key], asked, root, f"{place}.{key}")
        elif keyword not in _ABOUT:
            raise ValueError(f"this check does not know the keyword {keyword}")
    return found


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool) and kind != "boolean":
        return False
    return isinstance(value, _TYPES[kind])
