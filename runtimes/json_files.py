"""JSON that anybody may have damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON, or nested too deeply to be of this project.
    """
    return parse_json(Path(path).read_text(encoding="utf-8"))


def parse_json(text: str) -> Any:
    """Reads a JSON text.

    Raises:
        ValueError: it is no JSON, or nested too deeply to be of this project.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
