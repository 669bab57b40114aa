"""The second process of an export: its files, its end, and what is left when it dies."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.checkpoint import STUDENT_FILE, load_classifier, save_classifier
from export.formats import FORMATS, Format, select_formats
from export.helper import Helper, shared_out
from export.pipeline import Export, Settings, export_run
from runtimes.errors import GateError, InputError

SETTINGS = Settings(calibration_images=64, parity_images=64)


@pytest.fixture
def two_threads() -> Iterator[None]:
    """What makes an export share its work out, on a machine with one core as well."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


@pytest.fixture
def helpers(monkeypatch: pytest.MonkeyPatch) -> list[Helper]:
    """Gets every helper that is started."""
    started: list[Helper] = []
    start = Helper.__init__

    def remember(self: Helper, run: Path, formats: Sequence[Format]) -> None:
        start(self, run, formats)
        started.append(self)

    monkeypatch.setattr(Helper, "__init__", remember)
    return started


def _keys(formats: Any) -> list[str]:
    return [form.key for form in formats]


def _assert_ended(helper: Helper) -> None:
    with pytest.raises(ProcessLookupError):
        os.kill(helper.pid, 0)


def _export(run: Path, out: Path, *keys: str) -> Export:
    return export_run(run, out, select_formats(keys), settings=SETTINGS)


def test_the_helper_makes_one_family_and_only_beside_others() -> None:
    ours, theirs = shared_out(FORMATS, threads=2)
    assert {form.family for form in theirs} == {"coreml"}
    assert sorted(_keys([*ours, *theirs])) == sorted(_keys(FORMATS))
    for formats, threads in ((FORMATS, 1), (ours, 2), (theirs, 2)):
        assert shared_out(formats, threads) == (list(formats), [])


@pytest.mark.usefixtures("two_threads")
def test_files_are_the_same_whoever_makes_them(
    run: Path, tmp_path: Path, helpers: list[Helper]
) -> None:
    shared, alone = tmp_path / "shared", tmp_path / "alone"
    rows = _export(run, shared, "coreml:fp16", "onnx:fp32").rows
    assert [(row.form.key, row.problem) for row in rows] == [
        ("onnx:fp32", None),
        ("coreml:fp16", None),
    ]
    (helper,) = helpers
    _assert_ended(helper)
    torch.set_num_threads(1)  # as in the helper
    (row,) = _export(run, alone, "coreml:fp16").rows
    torch.set_num_threads(2)
    assert len(helpers) == 1
    differing = {key for key in row.entry if row.entry[key] != rows[1].entry[key]}
    assert differing <= {"seconds", "provenance"}
    assert row.entry["sha256"] == rows[1].entry["sha256"]


@pytest.mark.usefixtures("two_threads")
def test_a_death_costs_one_file_and_the_rest_is_made_here(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Helper.start

    def die(self: Helper, *arguments: Any) -> None:
        start(self, *arguments)
        os.kill(self.pid, signal.SIGKILL)

    monkeypatch.setattr(Helper, "start", die)
    rows = _export(run, tmp_path, "onnx:fp32", "coreml:fp16", "coreml:int8-weights").rows
    problems = {row.form.key: row.problem for row in rows}
    assert problems["onnx:fp32"] is problems["coreml:int8-weights"] is None
    assert isinstance(problems["coreml:fp16"], GateError)
    assert "SIGKILL" in str(problems["coreml:fp16"])
    left = {path.suffix for path in tmp_path.iterdir()}
    assert left == {".onnx", ".mlpackage", ".json", ".safetensors"}
    assert not (tmp_path / "run-fp16.mlpackage").exists()


@pytest.mark.usefixtures("two_threads")
def test_an_interruption_ends_the_helper_and_leaves_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, helpers: list[Helper]
) -> None:
    def interrupt(message: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("export.pipeline.note", interrupt)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        _export(run, out, "onnx:fp32", "coreml:fp16", "coreml:w8a8")
    _assert_ended(helpers[0])
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    assert not list(out.glob("*.mlpackage"))


@pytest.mark.usefixtures("two_threads")
def test_an_error_of_the_helper_is_the_row_s_with_where_it_came_from(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Helper.start

    def without_a_place(self: Helper, *arguments: Any) -> None:
        paths = {"coreml:fp16": Path("/proc/nowhere/run.mlpackage")}
        start(self, *arguments[:-1], paths)

    monkeypatch.setattr(Helper, "start", without_a_place)
    rows = _export(run, tmp_path, "onnx:fp32", "coreml:fp16").rows
    problem = rows[1].problem
    assert isinstance(problem, GateError)
    assert str(problem).startswith("coreml:fp16: the converter failed with ")
    assert "Traceback" in problem.__notes__[0]
    assert rows[0].problem is None


@pytest.mark.usefixtures("two_threads")
def test_a_refused_network_leaves_no_folder(run: Path, tmp_path: Path) -> None:
    broken, out = tmp_path / "run", tmp_path / "out"
    shutil.copytree(run, broken)
    student = load_classifier(broken / STUDENT_FILE).requires_grad_(False)
    student.trunk.state_dict()["3.conv.2.weight"].fill_(3e38)
    save_classifier(broken / STUDENT_FILE, student)
    with pytest.raises(InputError, match=r"the layer .* infinite or not a number"):
        _export(broken, out, "onnx:fp32", "coreml:fp16")
    assert not out.exists()
