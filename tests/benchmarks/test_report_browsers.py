"""Browsers on the page of the report: their times, their answers, and JSON that lies."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.report.findings import Inputs
from benchmarks.report.page.document import page
from benchmarks.report.report import Report, build_report
from benchmarks.web.records import Answers
from benchmarks.web.site import read_export
from export.verify import compare
from runtimes.errors import InputError

from .json_schema import faults
from .report_page import SCHEMA, Page
from .web_records import record

Value = dict[str, Any]


@pytest.fixture
def kept(measured: Inputs, tmp_path: Path) -> Path:
    """A finished record of one browser that answers as the export does."""
    export = read_export(measured.artifacts)
    record(export.files, export.golden, tmp_path / "web.json")
    return tmp_path / "web.json"


def _report(measured: Inputs, path: Path) -> tuple[Report, str]:
    report = build_report(replace(measured, phone=(path,)))
    assert faults(report.to_json(), SCHEMA, SCHEMA) == []
    return report, "".join(Page(page(report)).texts)


def _changed(path: Path, change: Callable[[Value], object]) -> Path:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
    return path


def test_a_browser_stands_beside_machines_with_its_percentiles(
    measured: Inputs, kept: Path
) -> None:
    report, words = _report(measured, kept)
    device = report.found.devices[-1]
    assert device.name == "Phone <1>, Chrome 150 on Android 15, 8 cores"
    assert (device.source, device.left, device.measure) == ("data/phone-1.json", 0, "p50")
    assert [(row.format, row.setting, row.p50) for row in device.rows] == [
        ("onnx:fp32", "1 thread", 2.0),
        ("onnx:int8", "1 thread", 2.0),
    ]
    assert [point.latency for point in report.points[-1]] == [2.0, 2.0]
    for part in (
        "In its browser; ONNX Runtime Web 1.30.0, wasm, SIMD",
        "Its clock has steps of 0.1 ms; its page may not use threads",
        "2.00 / 2.40 / 2.49",
        "largest Δp",
        "0.0e+00",
    ):
        assert part in words
    assert words.count("2.00 / 2.40 / 2.49") == 2  # one bar a file, and no second list of bars
    assert report.found.notes == ()


def test_other_answers_in_a_browser_are_told_and_are_no_verdict(
    measured: Inputs, kept: Path
) -> None:
    export = read_export(measured.artifacts)
    golden = export.golden["onnx:fp32"]
    other = replace(golden, probabilities=np.roll(golden.probabilities, 1, axis=1))
    kept.unlink()
    document = record(export.files, export.golden, kept)
    row = next(iter(document.rows.values()))
    ask = document.settings.asks()[0]
    found = compare(golden, other, 0.5)
    row[ask] = replace(row[ask], answers=Answers(found, ("a probability differs <b>",)))
    kept.write_text(json.dumps(document.to_json()))
    report, words = _report(measured, kept)
    assert "other answers than at the export: a probability differs <b>" in words
    notes = "".join(note.sentence for note in report.found.notes)
    assert "1 of 2 timed runs gave other answers than the export's" in notes
    assert report.verdicts == build_report(measured).verdicts


def test_a_file_that_no_setting_runs_fails_once_the_browser_has_finished(
    measured: Inputs, kept: Path
) -> None:
    def crash(value: Value) -> None:
        value["phones"][0]["rows"][0].update(figures=None, answers=None, ran="", fault="it hung")

    report, _ = _report(measured, _changed(kept, crash))
    assert "it hung" in report.verdicts[0].sentence
    report, words = _report(
        measured, _changed(kept, lambda value: value["phones"][0]["rows"].pop())
    )
    assert report.found.devices[-1].left == 1
    assert "Not finished: 1 of 2 runs are there" in words
    assert "it hung" not in report.verdicts[0].sentence


def _figures(value: Value) -> Value:
    figures: Value = value["phones"][0]["rows"][0]["figures"]
    return figures


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda v: v.update(version="2.0"), r"expected dermport\.web 1\.0"),
        (lambda v: v.update(phones=[]), "'phones' is empty"),
        (lambda v: v["settings"].update(threads=[]), "numbers of threads"),
        (lambda v: v["settings"].update(threads=[True]), "numbers of threads"),
        (lambda v: v["settings"]["files"][0].update(name="b"), "one of 'settings.files'"),
        (lambda v: v["settings"].update(seconds=-1), "above 0"),
        (lambda v: [f.update(sha256="a" * 64) for f in v["settings"]["files"]], "other files"),
        (lambda v: v["phones"][0]["facts"].update(cores="8"), "a whole number"),
        (lambda v: v["phones"][0]["facts"].update(more=1), "unknown key"),
        (lambda v: v["phones"][0]["rows"].append(v["phones"][0]["rows"][0]), "once"),
        (lambda v: v["phones"][0]["rows"][0].update(fault="x"), "'' beside figures"),
        (lambda v: v["phones"][0]["rows"][0].update(answers=None), "'' beside figures"),
        (lambda v: v["phones"][0]["rows"][0]["asked"].update(threads=7), "settings.threads"),
        (lambda v: _figures(v).update(p50=1e9), "at most"),
        (lambda v: _figures(v).update(p50=0), "above 0"),
        (lambda v: _figures(v).update(p90=1.0), "no less than p50"),
        (lambda v: _figures(v).update(most=1.0), "from 0 to 1|no less than p99"),
        (lambda v: _figures(v).update(mean=99.0), "between least and most"),
        (lambda v: _figures(v).update(runs=0), "from 1"),
        (lambda v: _figures(v).update(runs=1e400), "not JSON|a whole number|valid JSON"),
        (
            lambda v: v["phones"][0]["rows"][0]["answers"]["comparison"].update(agreement=1.5),
            "from 0 to 1",
        ),
        (
            lambda v: v["phones"][0]["rows"][0]["answers"]["comparison"].update(cam=-1),
            "from 0 to",
        ),
    ],
)
def test_a_record_that_lies_is_refused(
    measured: Inputs, kept: Path, change: Callable[[Value], object], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        build_report(replace(measured, phone=(_changed(kept, change),)))


def test_a_browser_is_named_with_phone_and_not_with_latency(measured: Inputs, kept: Path) -> None:
    with pytest.raises(InputError, match="name it with --phone"):
        build_report(replace(measured, latency=(kept,)))
