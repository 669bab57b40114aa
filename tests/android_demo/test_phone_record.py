"""What the app's benchmark writes is what `benchmarks report` reads."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from android_demo.check.golden import FOLDER
from benchmarks.phone.document import SCHEMA, VERSION
from benchmarks.phone.facts import Facts
from benchmarks.phone.records import Row
from benchmarks.report.devices import Device
from benchmarks.report.document import read_document
from benchmarks.report.export import ExportedFile
from benchmarks.report.phones import read_phones
from runtimes.errors import InputError
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


@pytest.mark.parametrize(("ways", "left"), [(2, 0), (3, 1), (None, 2)])
def test_a_gpu_that_is_run_once_leaves_nothing_to_be_run(
    ways: int | None, left: int, tmp_path: Path
) -> None:
    assert _read(tmp_path, ways).left == left


def test_more_ways_than_there_are_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'settings\.ways' is 5; expected at most 4"):
        _read(tmp_path, 5)


def _read(folder: Path, ways: int | None) -> Device:
    """The golden record's two rows, asked for with two thread counts and two delegates."""
    record = json.loads((FOLDER / "phone.json").read_text())
    settings = record["settings"]
    settings["threads"] = [1, 4]
    settings.pop("ways")
    if ways is not None:
        settings["ways"] = ways
    (folder / "phone.json").write_text(json.dumps(record))
    file = ExportedFile("tflite:int8", "student-int8.tflite", 2_500_000, "a" * 64, "", "", None)
    export: Any = SimpleNamespace(name="student", by_hash=lambda: {file.sha256: file})
    document = read_document(folder / "phone.json", "phone", "data/phone-1.json")
    (phone,) = read_phones(document, export, "remake")
    return phone
