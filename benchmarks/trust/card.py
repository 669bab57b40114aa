"""The section of a released model's card that says whether it can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.trust.summary import card_section
from distill.model_card import CARD_FILE, WEAK_WARNING
from runtimes.atomic import write_text

_WARNING = (
    "- A picture of another kind than its training images, or another disease, may get one of its "
    "answers; how much of it `unknown` catches is told below."
)
_BEGIN, _END = "<!-- trust -->", "<!-- /trust -->"


def put_into_card(run: Path, document: Mapping[str, Any]) -> Path | None:
    """Replaces the section in the card, or puts it before the data and licence.

    Args:
        run: a released model; a run without a card is left as it is.
        document: what was measured.

    Returns:
        The card, or None where there is none.
    """
    path = run / CARD_FILE
    if not path.is_file():
        return None
    card = path.read_text(encoding="utf-8").replace(WEAK_WARNING, _WARNING)
    section = f"{_BEGIN}\n{card_section(document)}\n\n{_END}"
    if _BEGIN in card and _END in card:
        before, rest = card.split(_BEGIN, 1)
        card = before + section + rest.split(_END, 1)[1]
    else:
        mark = "## Data and licence"
        before, found, after = card.partition(mark)
        card = f"{before.rstrip()}\n\n{section}\n\n{found}{after}".rstrip() + "\n"
    write_text(path, card)
    return path
