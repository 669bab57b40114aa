"""Second opinions on the page: disagreements first, and only of this export's files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.arm.first_difference import Difference
from benchmarks.arm.parity import to_json
from benchmarks.latency.files import TimedFile, find_files
from benchmarks.report.findings import Inputs
from benchmarks.report.page.document import page
from benchmarks.report.report import Report, build_report

from .json_schema import faults
from .opinion_records import arm_rows_of, opinions_of
from .report_page import SCHEMA, Page


@pytest.fixture
def files(measured: Inputs) -> tuple[TimedFile, ...]:
    return find_files([measured.artifacts])


def _words(report: Report) -> str:
    assert faults(report.to_json(), SCHEMA, SCHEMA) == []
    return "".join(Page(page(report)).texts)


def test_agreements_and_the_analyzer_are_shown(complete: Inputs) -> None:
    report = build_report(complete)
    words = _words(report)
    assert "All agree: 8 golden images answered by other implementations" in words
    assert "All agree: 4 golden images answered by the same runtimes' kernels for ARM" in words
    assert "ONNX Runtime 1 on cortex-a76" in words
    assert "onnx:fp32: TensorFlow 2's analyzer says: PACK: no" in words
    assert report.found.notes == ()


def test_disagreements_come_first_and_are_to_be_read_with_care(
    complete: Inputs, files: tuple[TimedFile, ...], tmp_path: Path
) -> None:
    opinions, arm = tmp_path / "opinions.json", tmp_path / "arm.json"
    opinions.write_text(json.dumps(opinions_of(files, "a <b>probability</b> differs").to_json()))
    arm.write_text(json.dumps(to_json(arm_rows_of(files, float("inf")), 4), allow_nan=False))
    report = build_report(replace(complete, opinions=opinions, arm=arm))
    words = _words(report)
    for found in (report.found.opinions, report.found.arm):
        assert found is not None
        assert [(row.format, row.agrees) for row in found.rows] == [
            ("onnx:int8", False),
            ("onnx:fp32", True),
        ]
    assert "a <b>probability</b> differs" in words
    assert "a probability may differ by 1e-06, a class map by 1e-05" in words
    assert words.count("1 of 2 disagree") == 2
    apart = [note.sentence for note in report.found.notes]
    assert ["onnx:int8" in sentence for sentence in apart] == [True, True]


def test_the_operator_that_differs_first_on_arm_is_told(
    complete: Inputs, files: tuple[TimedFile, ...], tmp_path: Path
) -> None:
    rows = arm_rows_of(files, 1e-3)
    rows[-1] = replace(
        rows[-1], first=Difference("Add", "after trunk.13.conv.2", 1, 75264, 1, 16, 63)
    )
    content = to_json(rows, 4)
    for name, remark in (("with", True), ("of an earlier version, without", False)):
        if not remark:
            for row in content["rows"]:
                del row["first"]
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(content))
        words = _words(build_report(replace(complete, arm=path)))
        told = "it differs first in Add after trunk.13.conv.2: 1 of its 75,264 values, by 1 step"
        assert (told in words) == remark


def test_opinions_of_other_content_are_left_out_and_named(
    complete: Inputs, files: tuple[TimedFile, ...], tmp_path: Path
) -> None:
    changed = (replace(files[0], sha256="0" * 64), files[1])
    path = tmp_path / "opinions.json"
    path.write_text(json.dumps(opinions_of(changed).to_json()))
    found = build_report(replace(complete, opinions=path)).found
    assert found.opinions is not None
    assert [row.format for row in found.opinions.rows] == ["onnx:int8"]
    assert found.opinions.gpu == ()  # it spoke of the other file
    assert files[0].name in found.notes[0].sentence
