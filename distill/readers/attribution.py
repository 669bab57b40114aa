"""Which archive an ISIC 2019 image comes from, told by its identifiers."""

from __future__ import annotations

import re

_LESION_PREFIXES = {"HAM": "HAM10000", "BCN": "BCN_20000", "MSK": "MSK"}
_IMAGE = re.compile(r"ISIC_(\d{7})(_downsampled)?")
# The challenge joined three archives whose image numbers do not overlap (its attribution file).
_FIRST_HAM10000, _LAST_HAM10000, _FIRST_BCN_20000 = 24306, 34320, 53453


def isic_source(image: str, lesion: str) -> str:
    """Returns HAM10000, BCN_20000 or MSK, or "unknown" for identifiers of another origin."""
    named = _LESION_PREFIXES.get(lesion[:3])
    if named is not None:
        return named
    number = _IMAGE.fullmatch(image)
    if number is None:
        return "unknown"
    value = int(number[1])
    if value < _FIRST_HAM10000:
        return "MSK"
    if value <= _LAST_HAM10000:
        return "HAM10000"
    return "BCN_20000" if value >= _FIRST_BCN_20000 else "unknown"
