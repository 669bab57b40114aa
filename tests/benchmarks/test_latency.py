"""Files timed beside each other by their real runtimes, broken ones among them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

import benchmarks.latency.opening as opening
from benchmarks.commands import latency as command
from benchmarks.latency.files import CHILD, find_files
from benchmarks.latency.measure import Latency, Settings, measure_latency
from benchmarks.latency.rounds import time_rounds
from runtimes.child_process import Child, ChildDied
from runtimes.console import Verb, run_program
from runtimes.errors import InputError

from .conftest import Exported
from .tiny_models import write_onnx, write_tflite

pytest.importorskip("ai_edge_litert", reason="needs the tflite group")
pytest.importorskip("onnxruntime", reason="needs the onnx group")
VERB = (Verb("latency", "", command.__name__),)


@pytest.fixture(autouse=True)
def _one_process_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_TIMES", 1)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("healthy")
    small, large = write_tflite(folder / "small.tflite"), write_tflite(folder / "large.tflite", 96)
    return [large, small, write_onnx(folder / "small.onnx"), write_onnx(folder / "large.onnx", 96)]


def _measured(*paths: Path, **settings: object) -> Latency:
    return measure_latency(find_files(paths), Settings(runs=40, seconds=1e-6, **settings))  # type: ignore[arg-type]


def test_every_file_has_all_figures_and_ratios_are_to_its_runtimes_base(
    healthy: list[Path],
) -> None:
    found = _measured(*healthy)
    assert [row.file.name for row in found.rows] == [path.name for path in healthy]
    for row in found.rows:
        assert row.times is not None
        assert row.opening is not None
        assert row.times.runs == 40
        assert 0 < row.times.least <= row.times.p50 <= row.times.p90 <= row.times.p99
        assert row.opening.load_ms > 0
        assert row.opening.first_ms > 0
        assert row.opening.peak_memory_bytes > row.opening.memory_before_bytes > 1e6
        assert row.opening.peak_memory_bytes < 5e8  # the child's own, not this process's
        assert row.opening.back_end.covered == row.opening.back_end.operators >= 1
    large, small, small_onnx, large_onnx = found.rows
    assert large.ratio is None
    assert small.ratio is not None
    assert small.ratio.base == "large.tflite"
    assert small.ratio.high < 1
    assert large_onnx.ratio is not None
    assert large_onnx.ratio.base == small_onnx.file.name
    assert large_onnx.ratio.low > 1


def test_a_named_base_serves_both_runtimes(healthy: list[Path]) -> None:
    found = _measured(*healthy, base="small.onnx")
    bases = [row.ratio.base for row in found.rows if row.ratio is not None]
    assert bases == ["small.onnx"] * 3
    with pytest.raises(InputError, match="none of the files"):
        _measured(*healthy, base="other.onnx")


def test_rounds_go_on_until_runs_and_seconds_are_both_reached(healthy: list[Path]) -> None:
    files = find_files(healthy[:1])
    common = {"threads": 1, "memory_limit": 8 << 30}
    first = {files[0].name: 1.0}
    few = time_rounds(files, first, runs=24, seconds=1e-6, **common)  # type: ignore[arg-type]
    assert len(few.milliseconds[files[0].name]) == 24
    long = time_rounds(files, first, runs=8, seconds=0.5, **common)  # type: ignore[arg-type]
    assert long.seconds >= 0.5
    assert len(long.milliseconds[files[0].name]) > 24


def test_a_file_that_crashes_its_runtime_is_lost_alone(healthy: list[Path], tmp_path: Path) -> None:
    bad = write_tflite(tmp_path / "bad.tflite", graph=False)
    found = _measured(bad, *healthy)
    assert found.rows[0].times is None
    assert "SIGSEGV" in found.rows[0].fault
    assert found.rows[0].broken
    assert all(row.times is not None and not row.fault for row in found.rows[1:])


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
@pytest.mark.parametrize("damage", ["empty", "truncated", "random"])
def test_a_damaged_file_has_a_row_without_figures(
    healthy: list[Path], tmp_path: Path, kind: str, damage: str
) -> None:
    content = next(path for path in healthy if path.suffix == f".{kind}").read_bytes()
    random = np.random.default_rng(0).bytes(len(content))
    bad = tmp_path / f"bad.{kind}"
    bad.write_bytes({"empty": b"", "truncated": content[: len(content) // 2]}.get(damage, random))
    found = _measured(bad, healthy[1])
    assert found.rows[0].fault
    assert found.rows[0].times is None
    assert str(tmp_path) not in found.rows[0].fault
    assert found.rows[1].times is not None


def test_a_file_that_wants_more_memory_than_it_may_is_lost_alone(
    healthy: list[Path], tmp_path: Path
) -> None:
    wide = write_onnx(tmp_path / "wide.onnx", 3_000)  # takes 0.9 GB
    found = _measured(wide, healthy[1], memory_limit=1 << 30)
    assert re.search("alloc|memory", found.rows[0].fault), found.rows[0].fault
    assert found.rows[1].times is not None
    enough = opening.open_alone(find_files([wide]), 1, 8 << 30)["wide.onnx"]
    assert not isinstance(enough, str)


def test_a_process_that_dies_in_the_rounds_loses_the_file_at_work_and_no_times(
    healthy: list[Path],
) -> None:
    files = find_files(healthy)
    killed: list[int] = []

    def kill_once(runtime: str, pid: int) -> None:
        if runtime == "LiteRT" and not killed:
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)

    found = time_rounds(
        files,
        dict.fromkeys((file.name for file in files), 1.0),
        runs=16,
        seconds=1e-6,
        threads=1,
        memory_limit=8 << 30,
        watch=kill_once,
    )
    assert list(found.deaths) == ["large.tflite"]
    assert "SIGKILL" in found.deaths["large.tflite"]
    assert {len(times) for times in found.milliseconds.values()} == {16}
    assert set(found.milliseconds) == {"small.tflite", "small.onnx", "large.onnx"}


def test_a_process_that_does_not_answer_in_time_is_ended() -> None:
    with Child(CHILD) as child:
        with pytest.raises(ChildDied, match="no answer within"):
            child.ask(0.001, do="overhead")
        pid = child.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_command_prints_rows_and_writes_no_paths(
    healthy: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = write_tflite(tmp_path / "bad.tflite", graph=False)
    out = tmp_path / "latency.json"
    words = ["latency", str(healthy[0]), "--peer", str(healthy[2]), "--runs", "8"]
    words += ["--seconds", "1e-6", "--json", str(out)]
    assert run_program("benchmarks", "", VERB, words) == 0
    said = capsys.readouterr().out
    assert "XNNPACK 1/1 operators, 1 partition" in said
    assert "CPU provider" in said
    assert run_program("benchmarks", "", VERB, [*words, "--peer", str(bad)]) == 1
    assert "bad.tflite: it ended its process: SIGSEGV" in capsys.readouterr().err
    text = out.read_text()
    found = json.loads(text)
    assert str(tmp_path.parent) not in text
    assert os.uname().nodename not in text
    assert [file["peer"] for file in found["files"]] == [False, True, True]
    assert found["harness"]["overhead_ms"] < 0.05
    assert found["harness"]["overhead_share"] > 0


def test_a_core_ml_package_is_told_to_run_on_macos_only(
    healthy: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    package = tmp_path / "a.mlpackage"
    package.mkdir()
    (package / "Manifest.json").write_text("{}")
    row = _measured(package, healthy[1]).rows[0]
    assert row.fault == "runs on macOS only; not timed"
    assert not row.broken


def test_open_sides_are_refused_in_the_row(healthy: list[Path], tmp_path: Path) -> None:
    odd = write_onnx(tmp_path / "open.onnx", shape=("N", 3, "H", "W"))
    found = _measured(odd, healthy[1])
    assert "open shape" in found.rows[0].fault
    assert found.rows[1].times is not None


@pytest.mark.parametrize(
    "words", [["--runs", "0"], ["--threads", "0"], ["--json", "x.txt"], ["--base", "x"]]
)
def test_wrong_settings_are_refused(healthy: list[Path], words: list[str]) -> None:
    try:
        code: object = run_program("benchmarks", "", VERB, ["latency", str(healthy[0]), *words])
    except SystemExit as end:  # what argparse does with a word that is no number of threads
        code = end.code
    assert code == 2


def test_files_of_one_name_are_told_apart_and_one_file_twice_is_refused(
    healthy: list[Path], tmp_path: Path
) -> None:
    copy = tmp_path / healthy[0].name
    copy.write_bytes(healthy[0].read_bytes())
    assert [file.name for file in find_files([healthy[0], copy])] == [
        "large.tflite (1)",
        "large.tflite (2)",
    ]
    with pytest.raises(InputError, match="named twice"):
        find_files([copy], [copy])


def test_a_listed_file_that_is_missing_has_a_row_and_the_others_are_timed(
    exported: Exported, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    shutil.copytree(exported.artifacts, folder)
    (lost,) = folder.glob("*-int8.onnx")
    lost.unlink()
    found = {row.file.format: row for row in _measured(folder).rows}
    assert found["onnx:fp32"].times is not None
    assert found["onnx:int8"].broken
    assert found["onnx:int8"].fault == (
        "manifest.json lists it, but it is missing; export the run again"
    )
