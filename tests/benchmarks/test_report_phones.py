"""Phones on the page: what was asked, what ran, and every time under its own name."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.latency.files import TimedFile, find_files
from benchmarks.phone.facts import Facts
from benchmarks.phone.records import Ran, Row
from benchmarks.report.devices import Device
from benchmarks.report.findings import Inputs
from benchmarks.report.page.document import page
from benchmarks.report.report import Report, build_report
from benchmarks.report.verdicts import FAILED, PASSED
from runtimes.errors import InputError

from .json_schema import faults
from .phone_records import FIGURES, PHONE, record, rows_of, without_percentiles
from .report_page import SCHEMA, Page


@pytest.fixture
def files(measured: Inputs) -> tuple[TimedFile, ...]:
    return find_files([measured.artifacts])


def _report(
    measured: Inputs,
    files: Sequence[TimedFile],
    phones: dict[str, tuple[Facts, Sequence[Row]]],
    folder: Path,
) -> Report:
    path = folder / "phone.json"
    path.write_text(json.dumps(record(files, phones).to_json()))
    report = build_report(replace(measured, phone=(path,)))
    assert faults(report.to_json(), SCHEMA, SCHEMA) == []
    return report


def _one(
    measured: Inputs, files: Sequence[TimedFile], rows: Sequence[Row], folder: Path
) -> tuple[Report, Device, str]:
    """The report of one phone, the phone, and the words of the page."""
    report = _report(measured, files, {"5e1f0000": (PHONE, rows)}, folder)
    return report, report.found.devices[-1], "".join(Page(page(report)).texts)


def test_a_phone_stands_beside_machines_with_its_facts_states_and_settings(
    measured: Inputs, files: tuple[TimedFile, ...], tmp_path: Path
) -> None:
    report, phone, words = _one(measured, files, rows_of(files), tmp_path)
    assert len(report.found.devices) == 2
    assert phone.name == str(PHONE)
    assert phone.source == "data/phone-1.json"
    for part in (
        *("Android 15, SDK 35, build AP4A.250105.002", "every run began cool"),
        "before: thermal status none, battery 30.0 °C, charged to 81 %",
        "after: thermal status moderate, battery 39.5 °C, charged to 80 %",
        "benchmark_model bbbbbbbbbbbb, at least 128 inferences and 10 s a run",
    ):
        assert any(part in line for line in phone.about)
        assert part in words
    assert [(row.format, row.kind, row.setting) for row in phone.rows] == [
        (file.format, "own", f"4 threads, {delegate}")
        for file in files
        for delegate in ("xnnpack", "gpu")
    ]
    assert {row.peak_memory_bytes for row in phone.rows} == {42_000_000}
    assert report.found.notes == ()


def test_a_mean_is_called_a_mean_and_compared_only_where_there_is_no_p50(
    measured: Inputs, files: tuple[TimedFile, ...], tmp_path: Path
) -> None:
    report, phone, words = _one(measured, files, rows_of(files), tmp_path)
    assert phone.measure == "p50"
    assert [point.latency for point in report.points[-1]] == [11.875, 11.875]
    assert "11.88 / 13.62" in words
    rows = rows_of(files)
    rows[0] = replace(rows[0], figures=without_percentiles())
    report, phone, words = _one(measured, files, rows, tmp_path)
    assert phone.measure == "mean"
    assert [point.latency for point in report.points[-1]] == [12.125, 12.125]
    assert [row.p50 for row in phone.rows] == [None, 11.875, 11.875, 11.875]
    assert "Times are means: not every run tells a p50." in words
    assert "11.50 / 12.12" in words
    assert "latency (mean), ms" in words
    assert "compared by the mean" in "".join(note.sentence for note in report.found.notes)
    for value in report.to_json()["devices"][-1]["rows"]:
        assert value["phone"]["mean"] == 12.125


def test_an_older_runner_shows_no_column_of_percentiles(
    measured: Inputs, files: tuple[TimedFile, ...], tmp_path: Path
) -> None:
    rows = rows_of(files, without_percentiles())
    report, phone, words = _one(replace(measured, latency=()), files, rows, tmp_path)
    heads = re.findall(r"<th [^>]*>([^<]*)</th>", page(report))
    assert {"mean", "least", "most", "mean, ms"} <= set(heads)
    assert not {"p50", "p95", "p50, ms"} & set(heads)
    assert "12.12 ± 1.50" in words
    assert phone.time(phone.rows[0]) == 12.125


def test_what_ran_stands_beside_what_was_asked(
    measured: Inputs, files: tuple[TimedFile, ...], tmp_path: Path
) -> None:
    rows = rows_of(files)
    rows[1] = replace(
        rows[1],
        ran=Ran("xnnpack", "part of the graph"),
        cool=False,
        notes=("this runner does not know <b>",),
        figures=replace(FIGURES, p50=FIGURES.least),
    )
    report, _, words = _one(measured, files, rows, tmp_path)
    assert "onnx:fp32, 4 threads, gpugpuxnnpackpart of the graph" in words
    said = "asked for gpu; what ran: xnnpack; it began warm"
    assert f"onnx:fp32, 4 threads, gpu: this runner does not know <b>; {said}" in words
    assert report.points[-1][0].setting == "4 threads, gpu; ran: xnnpack"
    notes = "".join(note.sentence for note in report.found.notes)
    assert "1 of 4 timed runs did not run on what was asked for" in notes
    assert "1 of 4 timed runs began while it was warm" in notes


def test_a_delegate_that_refuses_fails_no_file_that_another_runs(
    measured: Inputs, files: tuple[TimedFile, ...], tmp_path: Path
) -> None:
    rows = rows_of(files)
    rows[1] = Row(rows[1].ask, fault="it ended with SIGSEGV", cool=True)
    report, _, words = _one(measured, files, rows, tmp_path)
    assert report.verdicts == build_report(measured).verdicts
    assert "onnx:fp32, 4 threads, gpu: it ended with SIGSEGV" in words
    rows[0] = Row(rows[0].ask, fault="it ended with SIGILL", cool=True)
    report, _, _ = _one(measured, files, rows, tmp_path)
    assert report.verdicts[0].word == FAILED
    assert f"cannot be run on {PHONE}: it ended with SIGILL" in report.verdicts[0].sentence


def test_what_is_not_finished_is_said_and_judges_no_file(
    measured: Inputs, files: tuple[TimedFile, ...], tmp_path: Path
) -> None:
    first = Row(rows_of(files)[1].ask, fault="it ended with SIGSEGV", cool=True)
    report, phone, words = _one(measured, files, [first], tmp_path)
    assert phone.left == 3
    said = "Not finished: 1 of 4 runs are there. The command that began it, with --resume"
    assert words.count(said) == 2  # with the times, and in what is to be read with care
    assert report.verdicts == build_report(measured).verdicts
    report, phone, words = _one(measured, files, [], tmp_path)
    assert phone.left == 4
    assert "Not finished: 0 of 4 runs" in words


def test_phones_of_one_kind_are_told_apart(
    measured: Inputs, files: tuple[TimedFile, ...], tmp_path: Path
) -> None:
    other = replace(PHONE, model="Phone 2")
    phones = {name: (PHONE, rows_of(files)) for name in ("aaaa0000", "bbbb0000")}
    found = _report(measured, files, {**phones, "cccc0000": (other, [])}, tmp_path).found.devices
    assert [device.name for device in found[1:]] == [
        f"{PHONE}, phone aaaa0000",
        f"{PHONE}, phone bbbb0000",
        str(other),
    ]


def test_a_file_of_another_content_is_named_once_and_in_no_comparison(
    measured: Inputs, files: tuple[TimedFile, ...], tmp_path: Path
) -> None:
    own, other = files[0], replace(files[1], sha256="0" * 64)
    report, phone, _ = _one(measured, (own, other), rows_of((own, other)), tmp_path)
    assert [row.kind for row in phone.rows] == ["own", "own", "other", "other"]
    assert [point.format for point in report.points[-1]] == [own.format]
    (note,) = report.found.notes
    assert note.sentence.count(other.name) == 1


def test_each_kind_of_times_has_its_own_option(complete: Inputs) -> None:
    with pytest.raises(InputError, match=r"phone\.json: these are times of phones.*--phone"):
        build_report(replace(complete, latency=complete.phone, phone=()))
    with pytest.raises(InputError, match=r"latency\.json: it is a document without a schema"):
        build_report(replace(complete, phone=complete.latency, latency=()))


def test_another_version_of_the_record_is_refused(complete: Inputs, tmp_path: Path) -> None:
    content = json.loads(complete.phone[0].read_text())
    path = tmp_path / "phone.json"
    path.write_text(json.dumps({**content, "version": "2.0"}))
    with pytest.raises(InputError, match=r"it is dermport\.phone 2\.0; expected dermport\.phone 1"):
        build_report(replace(complete, phone=(path,)))


def test_all_files_pass_beside_phones(complete: Inputs) -> None:
    report = build_report(complete)
    assert {verdict.word for verdict in report.verdicts} <= {PASSED, FAILED}
    assert report.points[-1][0].setting == "4 threads, gpu"
    assert FIGURES.p50 == report.points[-1][0].latency
