"""A report as a folder: report.html, report.json, and the JSON files that both stand on."""

from __future__ import annotations

from pathlib import Path

from benchmarks.report.changes import SCHEMA
from benchmarks.report.page.document import page
from benchmarks.report.report import Report
from runtimes.atomic import check_folder, replacing_folder, write_json, write_text
from runtimes.errors import InputError
from runtimes.json_files import read_json

JSON_FILE, HTML_FILE = "report.json", "report.html"
_FILES = (JSON_FILE, HTML_FILE, "data/*.json")


def check_report_folder(out: Path) -> None:
    """Checks that a report may be written to `out`.

    Raises:
        InputError: something else than a report stands there.
    """
    check_folder(out, JSON_FILE, _FILES)
    mark = out / JSON_FILE
    if mark.exists() and _schema(mark) != SCHEMA:
        raise InputError(
            f"{mark} is no report, and {out} would be replaced as a whole. Name a new folder."
        )


def _schema(path: Path) -> str:
    try:
        found = read_json(path)
    except (OSError, ValueError):
        return ""
    return str(found.get("schema", "")) if isinstance(found, dict) else ""


def write_report(report: Report, out: Path) -> None:
    """Writes the folder, which replaces an older report as a whole.

    Raises:
        InputError: it cannot be written; what stood there is left as it was.
    """
    text = page(report)
    with replacing_folder(out) as temporary:
        (temporary / "data").mkdir()
        for document in report.found.documents:
            (temporary / document.copy).write_bytes(document.content)
        write_json(temporary / JSON_FILE, report.to_json())
        write_text(temporary / HTML_FILE, text)
