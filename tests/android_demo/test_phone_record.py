"""What the app's benchmark writes is what `benchmarks report` reads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from android_demo.check.golden import FOLDER
from benchmarks.phone.document import SCHEMA, VERSION
from benchmarks.phone.facts import Facts
from benchmarks.phone.records import Row
from benchmarks.report.document import read_document
from benchmarks.report.export import ExportedFile
from benchmarks.report.phones import read_phones
from runtimes.strict_json import parse_object


def test_the_record_is_read_row_by_row() -> None:
    # core's PhoneRecordTest writes exactly this file
    top = parse_object((FOLDER / "phone.json").read_text(), "phone.json")
    assert (top.text("schema"), top.text("version")) == (SCHEMA, VERSION)
    top.mapping("settings")
    (phone,) = top.children("phones")
    top.close()
    assert phone.flag("finished")
    assert Facts.from_json(phone.child("facts")).soc == "Chip"
    rows = [Row.from_json(row) for row in phone.children("rows")]
    assert [row.ask.delegate for row in rows] == ["xnnpack", "gpu"]
    assert [row.ran.delegate for row in rows if row.ran] == ["xnnpack", "xnnpack"]
    assert rows[1].notes == (
        "p90 4.143 ms",
        "the GPU refused the model (no reason); the CPU ran it",
    )
    assert rows[0].figures is not None
    assert rows[0].figures.p50 == 3.635


def test_the_report_takes_it_as_times_of_a_phone() -> None:
    file = ExportedFile("tflite:int8", "student-int8.tflite", 2_500_000, "a" * 64, "", "", None)
    export: Any = SimpleNamespace(name="student", by_hash=lambda: {file.sha256: file})
    document = read_document(FOLDER / "phone.json", "phone", "data/phone-1.json")
    (phone,) = read_phones(document, export, "remake")
    assert phone.left == 0
    assert [row.format for row in phone.rows] == ["tflite:int8", "tflite:int8"]
    fallback = phone.rows[1].phone
    assert fallback is not None
    assert (fallback.asked, fallback.ran) == ("gpu", "xnnpack")
