"""Values that several command lines take, read from words; a wrong one says what is expected."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path

LARGEST_SEED = 2**63 - 1
MOST_THREADS = 256
_SECONDS_IN = {"s": 1.0, "m": 60.0, "h": 3600.0}


def seed(text: str) -> int:
    """Reads a seed: a whole number from 0 to 2^63 - 1."""
    if not text.isdecimal() or int(text) > LARGEST_SEED:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no seed; expected a whole number from 0 to {LARGEST_SEED}"
        )
    return int(text)


def path(text: str) -> Path:
    """Reads a path; an empty one, such as an unset variable gives, does not mean this folder."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty; name a file or folder, or . for here")
    return Path(text)


def positive(text: str) -> float:
    """Reads a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is no number above 0")
    return value


def threads(text: str) -> int:
    """Reads a number of CPU threads, 1 to 256."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST_THREADS:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no number of threads; expected 1 to {MOST_THREADS}"
        )
    return int(text)


def seconds(text: str) -> float:
    """Reads a time such as 90s, 9m or 1.5h; returns seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no time; expected for example 90s, 9m, 2h")
    return float(match.group(1)) * _SECONDS_IN[match.group(2)]
