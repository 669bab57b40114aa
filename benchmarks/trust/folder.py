"""The results as a folder: trust.json, README.md and pictures, replaced as a whole."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.trust.ask import Setting
from benchmarks.trust.draw import draw_changes, draw_reliability, draw_risk
from benchmarks.trust.question import Question
from benchmarks.trust.sheet import draw_sheet
from benchmarks.trust.summary import text
from runtimes.atomic import check_folder, replacing_folder, write_json, write_text

JSON_FILE, TEXT_FILE, SHEET_FILE = "trust.json", "README.md", "where.png"
_FILES = (
    *(JSON_FILE, TEXT_FILE, SHEET_FILE, ".gitignore"),
    *("reliability.png", "risk-coverage.png", "changes.png"),
)


def check_trust_folder(out: Path) -> None:
    """Checks that results may be written to `out`.

    Raises:
        InputError: something else stands there.
    """
    check_folder(out, JSON_FILE, _FILES)


def write_trust(
    out: Path, document: Mapping[str, Any], setting: Setting, question: Question | None
) -> None:
    """Writes the folder.

    The sheet shows images of the data set, whose licence may forbid to hand them on: git leaves it
    out unless they were drawn by code.

    Args:
        out: replaced as a whole.
        document: what `measure` or `renew` returned.
        setting: for the sheet's images.
        question: for the networks that the sheet shows; None keeps the sheet that is there.
    """
    with replacing_folder(out) as temporary:
        write_json(temporary / JSON_FILE, dict(document))
        write_text(temporary / TEXT_FILE, text(document))
        draw_reliability(document, temporary / "reliability.png")
        draw_risk(document, temporary / "risk-coverage.png")
        draw_changes(document, temporary / "changes.png")
        if question is None:
            if (out / SHEET_FILE).is_file():
                shutil.copyfile(out / SHEET_FILE, temporary / SHEET_FILE)
        elif document["where"] is not None:
            draw_sheet(setting, question, temporary / SHEET_FILE)
        if not document["synthetic"]:
            write_text(temporary / ".gitignore", f"{SHEET_FILE}\n")
