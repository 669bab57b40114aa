"""Words from a phone made fit for a terminal: no control characters, no endless lines."""

from __future__ import annotations

_LONGEST = 300


def printable(text: str, longest: int = _LONGEST) -> str:
    """Returns the first `longest` characters of `text` that can be shown."""
    return "".join(sign for sign in text[: 4 * longest] if sign.isprintable())[:longest].strip()


def last_words(*texts: str) -> str:
    """Returns the last line that says anything, of the first text that has one; "" for none."""
    for text in texts:
        for line in reversed(text.splitlines()):
            if said := printable(line):
                return said
    return ""
