"""What changed since an older report, and which of those still open."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report.changes import read_known
from benchmarks.report.findings import Inputs
from benchmarks.report.folder import write_report
from benchmarks.report.page.document import page
from benchmarks.report.report import build_report
from runtimes.console import run_program
from runtimes.errors import InputError

from .json_schema import faults
from .report_page import SCHEMA, VERB, Page

FIRST = Path(__file__).with_name("report-1.0.json")


@pytest.fixture
def before(measured: Inputs, tmp_path: Path) -> dict[str, Any]:
    return build_report(measured).to_json()


def _compared(measured: Inputs, before: dict[str, Any], tmp_path: Path) -> Any:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(before))
    return build_report(measured, read_known(path))


def test_nothing_changed_between_equal_reports(
    measured: Inputs, before: dict[str, Any], tmp_path: Path
) -> None:
    found = _compared(measured, before, tmp_path).changes
    assert (found.same_student, found.same_images, found.new, found.vanished) == (
        True,
        True,
        (),
        (),
    )
    for row in found.rows:
        assert row.same_content
        assert (row.bytes, row.accuracy, row.balanced_accuracy, row.agreement) == (0, 0, 0, 0)
        assert row.verdicts[0] == row.verdicts[1]


def test_every_difference_is_this_report_minus_the_older(
    measured: Inputs, before: dict[str, Any], tmp_path: Path
) -> None:
    file = before["files"][1]
    file["sha256"] = "0" * 64
    file["bytes"] -= 1000
    file["verdict"]["word"] = "unmeasured"
    file["parity"]["agreement"] = 0.5
    file["parity"]["metrics"]["accuracy"]["value"] -= 0.01
    file["parity"]["metrics"]["balanced_accuracy"]["value"] += 0.02
    ratio = next(r for r in before["devices"][0]["rows"] if r["format"] == "onnx:int8")["ratio"]
    later = ratio["value"]
    ratio["value"] = 0.75
    before["student"]["sha256"] = "0" * 64
    before["test_side"]["images"] += 1
    report = _compared(measured, before, tmp_path)
    row = report.changes.rows[1]
    assert (row.format, row.same_content, row.bytes) == ("onnx:int8", False, 1000)
    assert row.verdicts[0] == "unmeasured"
    assert row.accuracy == pytest.approx(0.01)
    assert row.balanced_accuracy == pytest.approx(-0.02)
    now = build_report(measured).to_json()["files"][1]["parity"]["agreement"]
    assert row.agreement == pytest.approx(now - 0.5)
    assert [ratios[2:] for ratios in row.ratios] == [(0.75, pytest.approx(later))]
    assert not report.changes.same_student
    assert not report.changes.same_images
    words = "".join(Page(page(report)).texts)
    for part in ("The student is another one.", "−2.00", "0.750 → ", "not between equals"):
        assert part in words
    assert faults(report.to_json(), SCHEMA, SCHEMA) == []


def test_new_and_vanished_files_are_named(
    measured: Inputs, before: dict[str, Any], tmp_path: Path
) -> None:
    before["files"][0]["format"] = "tflite:fp32"
    found = _compared(measured, before, tmp_path).changes
    assert (found.new, found.vanished) == (("onnx:fp32",), ("tflite:fp32",))
    assert [row.format for row in found.rows] == ["onnx:int8"]


def test_a_report_of_the_first_version_still_opens(measured: Inputs) -> None:
    content = json.loads(FIRST.read_text(encoding="utf-8"))
    assert content["version"] == "1.0"
    assert faults(content, SCHEMA, SCHEMA) == []
    found = build_report(measured, read_known(FIRST)).changes
    assert found is not None
    assert found.rows[0].balanced_accuracy is not None


def test_a_later_minor_version_opens_and_another_major_is_refused(
    before: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps({**before, "version": "1.7", "invented": 1}))
    assert read_known(path).version == "1.7"
    for version in ("2.0", "0.9", "x"):
        path.write_text(json.dumps({**before, "version": version}))
        with pytest.raises(InputError, match=r"'version' is .*reads 1\.x"):
            read_known(path)


@pytest.mark.parametrize(
    ("keys", "value", "named"),
    [
        (("schema",), "dermport.parity", "schema"),
        (("files", 0, "bytes"), -1, "files[0].bytes"),
        (("files", 0, "verdict"), "passed", "files[0].verdict"),
        (("files", 0, "parity", "agreement"), "x", "files[0].parity.agreement"),
        (("devices",), None, "devices"),
        (("student", "sha256"), "abc", "student.sha256"),
    ],
)
def test_a_damaged_report_is_named_by_file_and_key(
    keys: tuple[Any, ...], value: Any, named: str, before: dict[str, Any], tmp_path: Path
) -> None:
    place: Any = before
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path = tmp_path / "report.json"
    path.write_text(json.dumps(before))
    with pytest.raises(InputError) as caught:
        read_known(path)
    assert str(path) in str(caught.value)
    assert f"'{named}'" in str(caught.value)


def test_a_report_may_be_compared_with_the_one_that_it_replaces(
    measured: Inputs, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    write_report(build_report(replace(measured, parity=None)), out)
    words = ["report", str(measured.artifacts), "--parity", str(measured.parity)]
    words += ["--compare", str(out / "report.json"), "--out", str(out)]
    assert run_program("benchmarks", "", VERB, words) == 0
    found = json.loads((out / "report.json").read_text())["changes"]
    assert found["rows"][0]["verdicts"]["before"] == "unmeasured"
    assert found["rows"][0]["accuracy"] is None
