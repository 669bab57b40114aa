"""A report as a folder: report.html, report.json, and the JSON files that both stand on."""

from __future__ import annotations

from pathlib import Path

from benchmarks.report.page.document import page
from benchmarks.report.report import Report
from runtimes.atomic import check_folder, replacing_folder, write_json, write_text

JSON_FILE, HTML_FILE = "report.json", "report.html"
_FILES = (JSON_FILE, HTML_FILE, "data/*.json")


def check_report_folder(out: Path) -> None:
    """Checks that a report may be written to `out`.

    Raises:
        InputError: something else than a report stands there.
    """
    check_folder(out, JSON_FILE, _FILES)


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
