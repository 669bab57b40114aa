"""The second process of an export: its files, its end, and what is left when it dies."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.checkpoint import STUDENT_FILE, load_classifier, save_classifier
from export.formats import FORMATS, Format, select_formats
from export.pipeline import Export, Settings, export_run
from export.worker import Worker, shared_out
from runtimes.child_process import Child, ChildDied
from runtimes.dependencies import STAGES
from runtimes.errors import GateError, InputError, MissingDependencyError

SETTINGS = Settings(calibration_images=64, parity_images=64)


@pytest.fixture
def two_threads() -> Iterator[None]:
    """What makes an export share its work out, on a machine with one core as well."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    left, _ = torch.get_num_threads(), torch.set_num_threads(before)
    assert left == 2


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> list[Worker]:
    """Gets every worker that is started."""
    started: list[Worker] = []
    start = Worker.__init__

    def remember(self: Worker, run: Path, formats: Sequence[Format]) -> None:
        start(self, run, formats)
        started.append(self)

    monkeypatch.setattr(Worker, "__init__", remember)
    return started


def _keys(formats: Any) -> list[str]:
    return [form.key for form in formats]


def _assert_ended(worker: Worker) -> None:
    with pytest.raises(ProcessLookupError):
        os.kill(worker.pid, 0)


def _export(run: Path, out: Path, *keys: str) -> Export:
    return export_run(run, out, select_formats(keys), settings=SETTINGS)


def test_the_worker_makes_one_family_and_only_beside_others() -> None:
    ours, theirs = shared_out(FORMATS, threads=2)
    assert {form.family for form in theirs} == {"coreml"}
    assert sorted(_keys([*ours, *theirs])) == sorted(_keys(FORMATS))
    for formats, threads in ((FORMATS, 1), (ours, 2), (theirs, 2)):
        assert shared_out(formats, threads) == (list(formats), [])


def test_a_missing_converter_or_little_memory_needs_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = tmp_path / "meminfo"
    monkeypatch.setattr("export.worker._MEMORY_TOLD", memory)
    for kilobytes, shared in ((7 << 20, True), ((7 << 20) - 1, False)):
        memory.write_text(f"MemTotal: 9999999999 kB\nMemAvailable: {kilobytes} kB\n")
        assert bool(shared_out(FORMATS, threads=2)[1]) == shared
    memory.unlink()
    assert shared_out(FORMATS, threads=2)[1]
    monkeypatch.setitem(STAGES, "coreml", (("no_such_package", "no-such-package"),))
    assert shared_out(FORMATS, threads=2) == (list(FORMATS), [])


@pytest.mark.usefixtures("two_threads")
def test_files_are_the_same_whoever_makes_them(
    run: Path, tmp_path: Path, workers: list[Worker]
) -> None:
    shared, alone = tmp_path / "shared", tmp_path / "alone"
    rows = _export(run, shared, "coreml:fp16", "onnx:fp32").rows
    assert [(row.form.key, row.problem) for row in rows] == [
        ("onnx:fp32", None),
        ("coreml:fp16", None),
    ]
    (worker,) = workers
    _assert_ended(worker)
    (row,) = _export(run, alone, "coreml:fp16").rows
    assert len(workers) == 1
    differing = {key for key in row.entry if row.entry[key] != rows[1].entry[key]}
    assert differing <= {"seconds", "provenance"}
    assert row.entry["sha256"] == rows[1].entry["sha256"]


@pytest.mark.usefixtures("two_threads")
def test_a_death_costs_the_worker_s_files_only(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Worker.start

    def die(self: Worker, *arguments: Any) -> None:
        start(self, *arguments)
        os.kill(self.pid, signal.SIGKILL)

    monkeypatch.setattr(Worker, "start", die)
    (tmp_path / "run-fp16.mlpackage").mkdir()
    (tmp_path / "run-fp16.mlpackage" / "before").write_text("what stood there")
    rows = _export(run, tmp_path, "onnx:fp32", "coreml:fp16", "coreml:int8-weights").rows
    problems = {row.form.key: row.problem for row in rows}
    assert problems["onnx:fp32"] is None
    for key in ("coreml:fp16", "coreml:int8-weights"):
        assert isinstance(problems[key], GateError)
        assert "SIGKILL" in str(problems[key])
    left = {
        path.name for path in tmp_path.iterdir() if path.suffix not in (".json", ".safetensors")
    }
    assert left == {"run-fp32.onnx", "run-fp16.mlpackage"}
    assert (tmp_path / "run-fp16.mlpackage" / "before").is_file()


@pytest.mark.usefixtures("two_threads")
def test_an_interruption_ends_the_worker_and_leaves_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: list[Worker]
) -> None:
    def interrupt(message: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("export.pipeline.note", interrupt)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        _export(run, out, "onnx:fp32", "coreml:fp16", "coreml:w8a8")
    _assert_ended(workers[0])
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    assert not list(out.glob("*.mlpackage"))


@pytest.mark.usefixtures("two_threads")
def test_an_error_of_the_worker_is_the_row_s_with_where_it_came_from(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Worker.start

    def without_a_place(self: Worker, *arguments: Any) -> None:
        paths = {"coreml:fp16": Path("/proc/nowhere/run.mlpackage")}
        start(self, *arguments[:-1], paths)

    monkeypatch.setattr(Worker, "start", without_a_place)
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


@pytest.mark.usefixtures("two_threads")
def test_a_missing_converter_leaves_the_files_that_stood_there(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: list[Worker]
) -> None:
    """Also where the worker has its place already."""
    require = Format.require_packages
    asked: list[str] = []

    def gone_later(self: Format) -> None:
        require(self)
        asked.append(self.key)
        if self.family == "coreml" and asked.count(self.key) > 1:
            raise MissingDependencyError("coremltools", "coreml")

    monkeypatch.setattr(Format, "require_packages", gone_later)
    before = tmp_path / "run-fp16.mlpackage" / "before"
    before.parent.mkdir()
    before.write_text("what stood there")
    rows = _export(run, tmp_path, "onnx:fp32", "coreml:fp16").rows
    assert isinstance(rows[1].problem, MissingDependencyError)
    assert len(workers) == 1
    assert before.read_text() == "what stood there"


def test_what_is_done_is_told_without_waiting() -> None:
    with Child("benchmarks.latency.child") as child:
        assert not child.has_answer()
        child.send(do="overhead")
        child.send(do="overhead")
        end = time.monotonic() + 60
        while not child.has_answer():
            assert time.monotonic() < end
            time.sleep(0.05)
        assert child.answer(60)["overhead_ms"] > 0
        child.answer(60)
        assert not child.has_answer()
        os.kill(child.pid, signal.SIGKILL)
        while not child.has_answer():  # there will be none, which `answer` says
            assert time.monotonic() < end
            time.sleep(0.05)
        with pytest.raises(ChildDied, match="SIGKILL"):
            child.answer(60)
