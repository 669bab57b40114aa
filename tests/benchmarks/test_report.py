"""One page of an export: whole, self-contained, and a view of its JSON."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report.findings import Inputs, read_findings
from benchmarks.report.folder import check_report_folder, write_report
from benchmarks.report.page.document import page
from benchmarks.report.pareto import Point, _beats
from benchmarks.report.report import NOTICE, Report, build_report
from benchmarks.report.verdicts import FAILED, PASSED, UNMEASURED
from runtimes.console import run_program
from runtimes.errors import InputError

from .json_schema import faults
from .report_page import SCHEMA, VERB, Page


@pytest.fixture(scope="module")
def report(measured: Inputs) -> Report:
    return build_report(measured)


@pytest.fixture(scope="module")
def text(report: Report) -> str:
    return page(report)


def _changed(path: Path, folder: Path, **values: Any) -> Path:
    content = json.loads(path.read_text())
    content.update(values)
    (folder / path.name).write_text(json.dumps(content))
    return folder / path.name


def test_the_page_is_balanced_and_says_first_what_it_is_not_for(text: str) -> None:
    found = Page(text)
    words = "".join(found.texts)
    assert NOTICE in words
    assert words.index(NOTICE) < words.index("Verdict") < words.index("Provenance")
    assert "synthetic" in words
    assert found.values("html", "lang") == ["en"]
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text


def test_the_page_needs_nothing_but_itself_and_its_json(report: Report, text: str) -> None:
    found = Page(text)
    assert not re.search(r"https?://|//[a-z]+\.[a-z]|@import|url\(|<script|javascript:", text, re.I)
    assert not [name for _, name, _ in found.attributes if name == "src" or name.startswith("on")]
    copies = {source.copy for source in report.sources}
    inside = {f"#{key}" for _, name, key in found.attributes if name == "id"}
    for link in found.values("a", "href"):
        assert link in copies | inside | {"report.json"}, link
    assert "default-src 'none'" in "".join(found.values("meta", "content"))


def test_every_table_and_picture_has_a_name_and_every_figure_its_json(text: str) -> None:
    assert text.count("<table") == text.count("<caption") > 6
    assert text.count("<svg") == text.count('role="img"') + text.count('aria-hidden="true"')
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", text)
    assert len(captions) == text.count("<figure") > 6
    assert all('href="data/' in caption for caption in captions)
    levels = [int(level) for level in re.findall(r"<h([1-6])", text)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_wide_tables_scroll_in_boxes_that_a_keyboard_reaches(text: str) -> None:
    boxes = re.findall(
        r'<div class="scroll" role="region" aria-label="[^"]+" tabindex="0"><table', text
    )
    assert len(boxes) == text.count("<table")
    assert ".scroll { overflow-x: auto" in text
    assert "prefers-color-scheme: dark" in text


def test_colours_can_be_read_in_light_and_dark(text: str) -> None:
    light, dark = re.findall(r":root \{(.*?)\}", text, re.S)
    for block in (light, dark):
        colours = dict(re.findall(r"--([a-z0-9]+): (#[0-9a-f]{6})", block))
        for name in ("ink", "quiet", "link", "good", "bad", "open"):
            assert _contrast(colours[name], colours["paper"]) > 4.5, name
        for name in ("onnx", "tflite", "coreml", "other", "p50"):
            assert _contrast(colours[name], colours["paper"]) > 3, name


def _contrast(one: str, other: str) -> float:
    """Of WCAG 2."""
    levels = []
    for colour in (one, other):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        levels.append(sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True)))
    return (max(levels) + 0.05) / (min(levels) + 0.05)


def test_report_json_is_what_the_published_schema_says(report: Report) -> None:
    value = report.to_json()
    assert faults(value, SCHEMA, SCHEMA) == []
    json.dumps(value, allow_nan=False)
    assert faults({**value, "version": "2.0"}, SCHEMA, SCHEMA)
    del value["files"][0]["sha256"]
    assert faults(value, SCHEMA, SCHEMA) == ["$.files[0]: no sha256"]


def test_the_page_shows_the_figures_of_the_json(report: Report, text: str) -> None:
    words = "".join(Page(text).texts)
    value = report.to_json()
    for row in value["devices"][0]["rows"]:
        assert f"{row['p50']:.2f} / {row['p90']:.2f} / {row['p99']:.2f}" in words
    accuracy = value["files"][1]["parity"]["metrics"]["balanced_accuracy"]
    shown = "{value:.1f} ({low:.1f} to {high:.1f})"
    assert shown.format(**{key: 100 * part for key, part in accuracy.items()}) in words
    for file in value["files"]:
        assert file["sha256"] in words
        assert file["verdict"]["sentence"] in words
    assert f"{value['costs']['networks'][0]['cost']['macs'] / 1e9:.4f}" in words
    for item in value["evaluation"]["classes"]:
        assert item["code"] in words


def test_the_folder_has_every_json_byte_for_byte(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path / "out")
    found = json.loads((tmp_path / "out/report.json").read_text())
    assert found == report.to_json()
    roles = {source["role"] for source in found["sources"]}
    expected = {"manifest", "contract", "export check", "parity", "latency 1", "flops", "metrics"}
    assert roles == expected
    for source in found["sources"]:
        content = (tmp_path / "out" / source["copy"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == source["sha256"]
    assert len(list((tmp_path / "out/data").iterdir())) == len(roles)


def test_a_report_without_any_figures_names_what_is_missing_and_its_command(
    exported: Any, tmp_path: Path
) -> None:
    report = build_report(Inputs(exported.artifacts))
    words = "".join(Page(page(report)).texts)
    verbs = ("parity", "latency", "flops", "quantization", "opinions", "arm", "trust")
    for verb in verbs:
        assert f"python -m benchmarks {verb} " in words
    assert {item.what for item in report.found.missing} == {*verbs, "metrics"}
    assert str(exported.artifacts.parent) not in words
    assert {verdict.word for verdict in report.verdicts} == {UNMEASURED}
    assert faults(report.to_json(), SCHEMA, SCHEMA) == []


def test_the_verdict_follows_the_gates(measured: Inputs, tmp_path: Path) -> None:
    parity = json.loads(measured.parity.read_text())  # type: ignore[union-attr]
    for row in parity["rows"]:
        row["faults"] = []
    parity["rows"][2]["faults"] = ["98.00 % of the first diagnoses agree, required 98.50 %"]
    path = tmp_path / "parity.json"
    path.write_text(json.dumps(parity))
    report = build_report(replace(measured, parity=path))
    assert [verdict.word for verdict in report.verdicts] == [PASSED, FAILED]
    assert "required 98.50 %" in report.verdicts[1].sentence
    assert report.headline == "1 of 2 files pass their gates, 1 does not."


def test_part_of_the_test_side_judges_nothing(measured: Inputs, tmp_path: Path) -> None:
    path = _changed(measured.parity, tmp_path, images=3)  # type: ignore[arg-type]
    report = build_report(replace(measured, parity=path))
    assert {verdict.word for verdict in report.verdicts} == {UNMEASURED}
    assert any("no gate is judged" in note.sentence for note in report.found.notes)


def test_a_file_changed_since_its_export_or_crashing_fails(
    measured: Inputs, tmp_path: Path
) -> None:
    folder = tmp_path / "artifacts"
    shutil.copytree(measured.artifacts, folder)
    name = build_report(measured).found.export.files[0].file
    with (folder / name).open("ab") as stream:
        stream.write(b"x")
    latency = json.loads(measured.latency[0].read_text())
    latency["files"][1].update(latency_ms=None, opening=None, fault="died by SIGSEGV")
    path = tmp_path / "latency.json"
    path.write_text(json.dumps(latency))
    report = build_report(replace(measured, artifacts=folder, latency=(path,)))
    assert [verdict.word for verdict in report.verdicts] == [FAILED, FAILED]
    assert "changed since its export" in report.verdicts[0].sentence
    assert "died by SIGSEGV" in report.verdicts[1].sentence


def test_what_was_not_delivered_has_a_verdict(measured: Inputs, tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    shutil.copytree(measured.artifacts, folder)
    check = json.loads((folder / "parity.json").read_text())
    lost = {
        **check["rows"][0],
        "format": "tflite:int8",
        "verdict": "failed",
        "problem": "<b>no</b>",
    }
    check["rows"].append(lost)
    (folder / "parity.json").write_text(json.dumps(check))
    report = build_report(replace(measured, artifacts=folder))
    assert report.verdicts[-1].sentence == "Not delivered: <b>no</b>."
    assert "<b>no" not in page(report)


def test_a_file_is_on_the_front_unless_another_is_better_in_all() -> None:
    point = Point("a:b", 2.0, 0.5, 0.4, 0.6, 100, False, "")
    assert _beats(replace(point, latency=1.0), point)
    assert _beats(replace(point, bytes=99), point)
    assert not _beats(point, point)
    assert not _beats(replace(point, latency=1.0, balanced_accuracy=0.49), point)


def test_a_report_is_built_in_less_than_five_seconds(measured: Inputs, tmp_path: Path) -> None:
    started = time.process_time()
    write_report(build_report(measured), tmp_path / "out")
    assert time.process_time() - started < 5


def test_only_a_report_is_replaced(measured: Inputs, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    words = ["report", str(measured.artifacts), "--out", str(tmp_path)]
    assert run_program("benchmarks", "", VERB, words) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(InputError):
        check_report_folder(tmp_path)
    assert run_program("benchmarks", "", VERB, [*words[:3], str(tmp_path / "new")]) == 0
    assert run_program("benchmarks", "", VERB, [*words[:3], str(tmp_path / "new")]) == 0
    other = tmp_path / "other"
    (other / "data").mkdir(parents=True)
    for name in ("report.json", "data/mine.json"):
        (other / name).write_text("{}")
    assert run_program("benchmarks", "", VERB, [*words[:3], str(other)]) == 2
    assert (other / "data" / "mine.json").exists()
    inside = str(measured.artifacts / "report")
    assert run_program("benchmarks", "", VERB, [*words[:3], inside]) == 2
    assert not (measured.artifacts / "report").exists()


def test_the_command_says_the_verdict_and_what_is_missing(
    measured: Inputs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["report", str(measured.artifacts), "--parity", str(measured.parity)]
    words += ["--out", str(tmp_path / "out")]
    assert run_program("benchmarks", "", VERB, words) == 0
    said = capsys.readouterr().out
    assert build_report(measured).headline in said
    assert "missing: The files were not timed on any device. python -m benchmarks latency" in said
    assert str(tmp_path / "out/report.html") in said


def test_findings_know_their_files_by_hash(measured: Inputs) -> None:
    found = read_findings(measured)
    assert found.test_side is not None
    assert found.test_side.by_hash
    assert set(found.test_side.rows) == {"onnx:fp32", "onnx:int8"}
    assert [row.kind for row in found.devices[0].rows] == ["own", "own"]
    assert found.notes == ()
