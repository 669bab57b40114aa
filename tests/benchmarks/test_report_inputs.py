"""JSON that is damaged, hostile or of other files: named by file and key, nothing is written."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report.findings import Inputs
from benchmarks.report.page.document import page
from benchmarks.report.report import build_report
from runtimes.console import run_program
from runtimes.errors import InputError

from .json_schema import faults
from .report_page import SCHEMA, VERB, Page

REPORT = Path(__file__).resolve().parents[2] / "results/benchmarks/report/report.json"
TRIALS = Path(__file__).resolve().parents[2] / "results/quantization/mobilenet_v2.json"
HOSTILE = '<script src="//x"></script>\u202e"\'&'


def _with(inputs: Inputs, role: str, path: Path) -> Inputs:
    value: Any = (path,) if role in ("latency", "phone") else path
    return replace(inputs, **{role: value})


def _path(inputs: Inputs, role: str) -> Path:
    found = getattr(inputs, role)
    return Path(found[0] if isinstance(found, tuple) else found)


def _put(value: Any, keys: tuple[str | int, ...], new: Any) -> None:
    for key in keys[:-1]:
        value = value[key]
    value[keys[-1]] = new


def _in_words(keys: tuple[str | int, ...]) -> str:
    words = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return words.removeprefix(".")


def _refused(inputs: Inputs, tmp_path: Path) -> str:
    """The error; the command must also leave no folder behind."""
    with pytest.raises(InputError) as caught:
        build_report(inputs)
    words = ["report", str(inputs.artifacts), "--out", str(tmp_path / "out")]
    for role in ("parity", "flops", "metrics", "quantization", "opinions", "arm"):
        if getattr(inputs, role) is not None:
            words += [f"--{role}", str(getattr(inputs, role))]
    words += ["--latency", *map(str, inputs.latency)] if inputs.latency else []
    words += ["--phone", *map(str, inputs.phone)] if inputs.phone else []
    assert run_program("benchmarks", "", VERB, words) == 2
    assert not (tmp_path / "out").exists()
    return str(caught.value)


@pytest.mark.parametrize("role", ["parity", "latency", "flops", "metrics", "opinions", "arm"])
def test_a_result_of_another_kind_is_told_with_what_makes_the_right_one(
    role: str, complete: Inputs, tmp_path: Path
) -> None:
    for other in {"parity", "latency", "flops", "metrics", "opinions", "arm"} - {role}:
        if (role, other) == ("arm", "parity"):  # told apart by their rows
            continue
        said = _refused(_with(complete, role, _path(complete, other)), tmp_path)
        assert re.match(
            rf".*{other}\.json: it has no '\w+', so it is not what --{role} takes", said
        )
        verb = "report" if role == "metrics" else role
        assert f"python -m benchmarks {verb} " in said


@pytest.mark.parametrize(
    ("role", "keys", "value"),
    [
        ("parity", ("rows", 1, "agreement"), "1"),
        ("parity", ("rows", 1, "agreement"), 1.5),
        ("parity", ("rows", 1, "probability"), True),
        ("parity", ("rows", 1, "metrics", "accuracy", "value"), 1e300),
        ("parity", ("rows", 1, "metrics", "accuracy", "low"), 1.0),
        ("parity", ("rows", 1, "faults"), "none"),
        ("parity", ("images",), 10**30),
        ("parity", ("rows",), {}),
        ("latency", ("files", 0, "latency_ms", "p50"), -1.0),
        ("latency", ("files", 0, "latency_ms", "p90"), 1e-9),
        ("latency", ("files", 0, "latency_ms", "p99"), 10**400),
        ("latency", ("files", 0, "opening", "back_end", "covered"), 10**6),
        ("latency", ("files", 0, "opening", "load_ms"), None),
        ("latency", ("settings", "threads"), 1.5),
        ("flops", ("networks", 0, "cost", "macs"), -1),
        ("flops", ("networks", 0, "published", "giga_macs"), 0),
        ("metrics", ("metrics", "confusion"), [[1]]),
        ("metrics", ("metrics", "confusion", 0, 0), True),
        ("metrics", ("metrics", "per_class", "MEL", "images"), "many"),
        ("metrics", ("temperature",), []),
        ("phone", ("phones", 0, "rows", 0, "figures", "mean"), 99.0),
        ("phone", ("phones", 0, "rows", 0, "figures", "p50"), -1),
        ("phone", ("phones", 0, "rows", 0, "figures", "runs"), 0),
        ("phone", ("phones", 0, "rows", 0, "figures", "peak_mb"), 1e9),
        ("phone", ("phones", 0, "rows", 0, "fault"), "it died"),
        ("phone", ("phones", 0, "rows", 0, "asked", "threads"), 0),
        ("phone", ("phones", 0, "rows", 0, "asked", "file"), "other.tflite"),
        ("phone", ("phones", 0, "rows", 0, "before", "thermal"), 7),
        ("phone", ("phones", 0, "rows", 0, "before", "megahertz"), ["x"]),
        ("phone", ("phones", 0, "facts", "android"), 15),
        ("phone", ("phones", 0, "finished"), None),
        ("phone", ("phones",), []),
        ("phone", ("settings", "files"), []),
        ("phone", ("settings", "files", 1, "name"), "run-fp32.onnx"),
        ("opinions", ("answers", 0, "comparison", "agreement"), 2),
        ("opinions", ("answers", 0, "comparison"), None),
        ("arm", ("rows", 0, "probability"), -1),
        ("arm", ("rows", 0, "passed"), "yes"),
    ],
)
def test_a_value_that_cannot_be_is_named_by_file_and_key(
    role: str, keys: tuple[str | int, ...], value: Any, complete: Inputs, tmp_path: Path
) -> None:
    content = json.loads(_path(complete, role).read_text())
    _put(content, keys, value)
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(content))
    said = _refused(_with(complete, role, path), tmp_path)
    assert str(path) in said
    assert _in_words(keys) in said


ROLES = ["parity", "latency", "flops", "metrics", "phone", "opinions", "arm"]


@pytest.mark.parametrize("role", [*ROLES, "quantization"])
@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "3", "{", '{"a": NaN}', '{"a": 1, "a": 2}', "[" * 10**5),
        *('{"a":' * 10**5, "{}", "\ufeff{}", '{"a": ' + "9" * 5000 + "}"),
    ],
    ids=range(11),
)
def test_text_that_is_no_result_is_named(
    role: str, text: str, measured: Inputs, tmp_path: Path
) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"bad\.json"):
        build_report(_with(measured, role, path))


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("x" * 30_000, r"'extra\.inside\[0\]' has a text of 30,000 characters"),
        ("\ud800", r"a text at 'extra\.inside\[0\]' is no valid Unicode"),
        (json.loads("[" * 40 + "]" * 40), r"'extra\.inside\[0\].*' is nested too deeply"),
    ],
    ids=["long", "surrogate", "deep"],
)
def test_texts_and_depths_that_no_result_has_are_refused_wherever_they_stand(
    value: Any, fault: str, measured: Inputs, tmp_path: Path
) -> None:
    content = json.loads(_path(measured, "parity").read_text())
    content["extra"] = {"inside": [value]}
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=fault):
        build_report(_with(measured, "parity", path))


def test_a_file_that_is_none_too_large_or_no_text_is_named(
    measured: Inputs, tmp_path: Path
) -> None:
    large, binary = tmp_path / "large.json", tmp_path / "binary.json"
    large.write_bytes(b" " * 20_000_001)
    binary.write_bytes(b"\xff\xfe{}")
    for path, fault in (
        (large, "larger than 20 MB"),
        (binary, "no UTF-8"),
        (tmp_path / "absent.json", "no such file"),
        (tmp_path, "this is no file"),
    ):
        with pytest.raises(InputError, match=fault):
            build_report(_with(measured, "parity", path))


@pytest.mark.parametrize("role", ["parity", "latency", "flops", "phone", "opinions", "arm"])
def test_figures_of_other_files_are_refused(role: str, complete: Inputs, tmp_path: Path) -> None:
    content = json.loads(_path(complete, role).read_text())
    keys = {"parity": "rows", "arm": "rows", "opinions": "answers"}
    for row in (content["settings"] if role == "phone" else content)[keys.get(role, "files")]:
        row["sha256"] = "0" * 64
    path = tmp_path / "other.json"
    path.write_text(json.dumps(content))
    said = _refused(_with(complete, role, path), tmp_path)
    assert f"run `python -m benchmarks {role} " in said.lower()


def test_figures_of_another_student_are_refused(measured: Inputs, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    for role, key in (("parity", "student"), ("metrics", "split")):
        content = json.loads(_path(measured, role).read_text())
        content[key]["sha256"] = "1" * 64
        path.write_text(json.dumps(content))
        assert f"'{key}.sha256' is 1111" in _refused(_with(measured, role, path), tmp_path)
    content = json.loads(_path(measured, "metrics").read_text())
    content["metrics"]["accuracy"].update(value=0.123456, low=0.1, high=0.2)
    path.write_text(json.dumps(content))
    said = _refused(_with(measured, "metrics", path), tmp_path)
    assert "of another student" in said
    assert "metrics.accuracy.value" in said


def test_files_calibrated_on_other_images_still_have_the_metrics_of_their_student(
    measured: Inputs, tmp_path: Path
) -> None:
    # A released student has no images: its files are calibrated on the synthetic sample.
    folder = tmp_path / "copy"
    shutil.copytree(measured.artifacts, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["split"]["sha256"] = "2" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    report = build_report(replace(measured, artifacts=folder))
    assert report.found.evaluation is not None


def test_one_other_file_is_left_out_and_named(measured: Inputs, tmp_path: Path) -> None:
    changed: dict[str, Path] = {}
    for role, key in (("parity", "rows"), ("latency", "files")):
        content = json.loads(_path(measured, role).read_text())
        content[key][-1]["sha256"] = "0" * 64
        changed[role] = tmp_path / f"{role}.json"
        changed[role].write_text(json.dumps(content))
    inputs = replace(measured, parity=changed["parity"], latency=(changed["latency"],))
    report = build_report(inputs)
    assert report.found.test_side is not None
    assert set(report.found.test_side.rows) == {"onnx:fp32"}
    assert [point.format for point in report.points[0]] == ["onnx:fp32"]
    notes = [note.sentence for note in report.found.notes if "left out" in note.sentence]
    assert len(notes) == 2
    assert all("run-int8.onnx" in note for note in notes)


def test_older_figures_without_hashes_are_taken_by_name_and_marked(
    measured: Inputs, tmp_path: Path
) -> None:
    content = json.loads(_path(measured, "parity").read_text())
    del content["student"]
    for row in content["rows"]:
        del row["sha256"]
    path = tmp_path / "older.json"
    path.write_text(json.dumps(content))
    report = build_report(_with(measured, "parity", path))
    assert report.to_json()["test_side"]["matched_by"] == "name"
    assert any("names no hashes" in note.sentence for note in report.found.notes)


def test_ways_to_int8_are_shown_if_they_are_of_the_same_student(
    measured: Inputs, tmp_path: Path
) -> None:
    content = json.loads(TRIALS.read_text(encoding="utf-8"))
    del content["student"]  # as earlier versions wrote it
    first, second, *_ = content["trials"]
    first["beyond_default"] = {"value": -2e-4, "low": -3.04e-4, "high": 1e-5}
    second["beyond_default"], second["divergence"] = None, None
    for trial in content["trials"][2:]:
        trial.pop("beyond_default", None)  # earlier versions did not tell it
    path = tmp_path / "trials.json"
    path.write_text(json.dumps(content))
    report = build_report(replace(measured, quantization=path))
    words = "".join(Page(page(report)).texts)
    assert all(trial["name"] in words for trial in content["trials"])
    assert "−2.0e-04 (−3.0e-04 to +1.0e-05)" in words
    formats = {trial["format"] for trial in content["trials"]}
    assert Page(page(report)).texts.count("the default") == len(formats)
    assert any("names no student" in note.sentence for note in report.found.notes)
    assert faults(report.to_json(), SCHEMA, SCHEMA) == []
    own = report.found.export.student
    path.write_text(json.dumps({**content, "student": {"sha256": own}}))
    assert build_report(replace(measured, quantization=path)).found.notes == ()
    for change in ({"student": {"sha256": "1" * 64}}, {"architecture": "resnet18"}):
        path.write_text(json.dumps({**content, **change}))
        with pytest.raises(InputError, match=next(iter(change))):
            build_report(replace(measured, quantization=path))


@pytest.mark.parametrize(
    ("at_the_top", "commit", "further", "shown"),
    [
        ("a" * 40, "a" * 40, ["b" * 40 + "+changes"], f"{'a' * 12}, {'b' * 12}+changes"),
        (None, "", ["a" * 40, "b" * 40 + "+changes"], f"{'a' * 12}, {'b' * 12}+changes"),
    ],
)
def test_all_commits_that_a_file_names_are_told(
    at_the_top: str | None,
    commit: str,
    further: list[str],
    shown: str,
    measured: Inputs,
    tmp_path: Path,
) -> None:
    """A manifest names them beside its files only; trust.json those of what was renewed too."""
    content = json.loads(_path(measured, "parity").read_text(encoding="utf-8"))
    content["provenance"]["git_commit"] = at_the_top
    for place, own in enumerate(("b" * 40 + "+changes", "a" * 40)):
        content["rows"][place]["provenance"] = {"git_commit": own}
    path = tmp_path / "mended.json"
    path.write_text(json.dumps(content))
    report = build_report(_with(measured, "parity", path))
    (source,) = (each for each in report.to_json()["sources"] if each["role"] == "parity")
    assert (source["git_commit"], source["further_commits"]) == (commit, further)
    assert faults(report.to_json(), SCHEMA, SCHEMA) == []
    assert f">{shown}<" in page(report)


def test_a_report_of_an_earlier_version_fits_the_schema() -> None:
    earlier = json.loads(REPORT.read_text(encoding="utf-8"))
    for source in earlier["sources"]:
        source.pop("further_commits", None)
    assert faults(earlier, SCHEMA, SCHEMA) == []


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("divergence",), "small"),
        (("beyond_default",), "none"),
        (("beyond_default", "value"), True),
        (("beyond_default", "low"), 1.0),
        (("beyond_default", "high"), None),
        (("quantization",), None),
    ],
)
def test_a_way_to_int8_that_cannot_be_is_named(
    keys: tuple[str | int, ...], value: Any, complete: Inputs, tmp_path: Path
) -> None:
    content = json.loads(TRIALS.read_text(encoding="utf-8"))
    content["student"] = {"sha256": build_report(complete).found.export.student}
    content["trials"][0]["beyond_default"] = {"value": 0.0, "low": 0.0, "high": 0.0}
    _put(content, ("trials", 0, *keys), value)
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(content))
    said = _refused(replace(complete, quantization=path), tmp_path)
    assert str(path) in said
    assert keys[-1] in said or keys[0] in said


def test_a_copy_under_another_name_does_not_count_twice(measured: Inputs, tmp_path: Path) -> None:
    copy = tmp_path / "other.json"
    shutil.copy(measured.latency[0], copy)
    with pytest.raises(InputError, match=r"other\.json is byte for byte .*latency\.json"):
        build_report(replace(measured, latency=(*measured.latency, copy)))


def test_a_file_that_is_named_twice_is_refused(measured: Inputs) -> None:
    with pytest.raises(InputError, match="named twice"):
        build_report(replace(measured, latency=measured.latency * 2))


def test_what_json_says_is_text_and_never_html(measured: Inputs, tmp_path: Path) -> None:
    parity = json.loads(_path(measured, "parity").read_text())
    parity["rows"][1]["faults"] = [HOSTILE]
    latency = json.loads(_path(measured, "latency").read_text())
    latency["machine"]["processor"] = latency["files"][0]["name"] = HOSTILE
    latency["files"][1].update(latency_ms=None, fault=HOSTILE)
    flops = json.loads(_path(measured, "flops").read_text())
    flops["networks"][0]["architecture"] = flops["convention"][HOSTILE] = HOSTILE
    paths = []
    for name, content in (("parity", parity), ("latency", latency), ("flops", flops)):
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps(content))
    inputs = replace(measured, parity=paths[0], latency=(paths[1],), flops=paths[2])
    text = page(build_report(inputs))
    assert "<script" not in text
    assert "\u202e" not in text
    assert '<script src="//x"></script>' in "".join(Page(text).texts)


def _leaves(value: Any, keys: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    pairs: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in pairs:
        yield (*keys, key)
        if isinstance(item, dict | list):
            yield from _leaves(item, (*keys, key))


@pytest.mark.parametrize("role", ROLES)
def test_any_changed_value_gives_a_sound_page_or_an_error_with_the_files_name(
    role: str, complete: Inputs, tmp_path: Path
) -> None:
    draw = random.Random(0)
    text = _path(complete, role).read_text()
    places = list(_leaves(json.loads(text)))
    values = [None, True, "", "x", HOSTILE, [], {}, [[]], -1, 0, 1e-300, 1e15, 0.5, 10**400]
    path = tmp_path / "fuzzed.json"
    errors: list[str] = []
    for keys in draw.sample(places, min(60, len(places))):
        content = json.loads(text)
        _put(content, keys, draw.choice(values))
        path.write_text(json.dumps(content))
        try:
            report = build_report(_with(complete, role, path))
        except InputError as error:
            errors.append(str(error))
            continue
        assert "<script" not in page(report)
        Page(page(report))
        assert faults(report.to_json(), SCHEMA, SCHEMA) == []
    assert len(errors) > 10
    assert all(str(path) in error for error in errors)


@pytest.mark.parametrize(
    ("name", "keys", "value", "fault"),
    [
        ("manifest.json", ("schema",), "x", "'schema' is"),
        ("manifest.json", ("files", 0, "file"), "../x.onnx", r"'files\[0\]\.file' is"),
        ("manifest.json", ("files", 0, "format"), "<b>", r"'files\[0\]\.format' is"),
        ("manifest.json", ("files", 1, "format"), "onnx:fp32", "'files' lists a format twice"),
        ("manifest.json", ("files", 0, "bytes"), -1, r"'files\[0\]\.bytes' is"),
        ("parity.json", ("student", "sha256"), "1" * 64, r"'student\.sha256' is 1111"),
        ("parity.json", ("rows", 0, "parity", "agreement"), 2, r"'rows\[0\]\.parity\.agreement'"),
        ("contract.json", ("labels",), 3, "'labels' is"),
    ],
)
def test_a_damaged_export_is_named_by_file_and_key(
    name: str,
    keys: tuple[str | int, ...],
    value: Any,
    fault: str,
    measured: Inputs,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "artifacts"
    shutil.copytree(measured.artifacts, folder)
    content = json.loads((folder / name).read_text())
    _put(content, keys, value)
    (folder / name).write_text(json.dumps(content))
    with pytest.raises(InputError, match=fault) as caught:
        build_report(replace(measured, artifacts=folder))
    assert str(folder / name) in str(caught.value)


def test_a_device_with_more_rows_than_a_page_can_show_is_refused(
    complete: Inputs, tmp_path: Path
) -> None:
    content = json.loads(_path(complete, "phone").read_text())
    content["phones"][0]["rows"] *= 126
    path = tmp_path / "phone.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"'phones\[\]\.rows' has 504 rows"):
        build_report(replace(complete, phone=(path,)))
