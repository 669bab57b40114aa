"""Time and memory of an export are those of its process, and limits are gates."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.commands import export as command
from benchmarks.memory import watched_memory
from runtimes.console import Verb, run_program

from .conftest import Exported

VERB = (Verb("export", "", command.__name__),)


def test_an_export_is_measured_and_gated(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", str(exported.run), "--only", "onnx:fp32", "--json", str(tmp_path / "e.json")]
    assert run_program("benchmarks", "", VERB, [*words, "--limit", "0.1s"]) == 1
    assert "more than 0.1 s" in capsys.readouterr().err
    found = json.loads((tmp_path / "e.json").read_text())
    assert found["files"] == 1
    assert 0.1 < found["seconds"] < 300
    assert 1e8 < found["peak_memory_bytes"] < 2e10
    assert found["processor_seconds"] > 0.1


def test_an_interrupted_measurement_ends_the_export_it_started(
    exported: Exported, tmp_path: Path
) -> None:
    words = [sys.executable, "-m", "benchmarks", "export", str(exported.run)]
    places = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(words, env=places, start_new_session=True)
    while process.poll() is None and not list(tmp_path.glob("*")):
        time.sleep(0.1)
    time.sleep(1)
    process.terminate()
    assert process.wait(timeout=60) == 130
    with pytest.raises(ProcessLookupError):  # nobody of its group is left
        os.killpg(process.pid, 0)
    assert not list(tmp_path.glob("tmp*"))


@pytest.mark.parametrize("limit", ["nan", "-1", "many"])
def test_a_limit_that_nothing_passes_or_all_pass_is_refused(exported: Exported, limit: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        run_program("benchmarks", "", VERB, ["export", str(exported.run), "--memory-limit", limit])


def test_a_failed_export_is_no_measurement(exported: Exported) -> None:
    words = ["export", str(exported.run), "--data", str(exported.artifacts)]
    assert run_program("benchmarks", "", VERB, words) == 2
    assert run_program("benchmarks", "", VERB, ["export", str(exported.artifacts)]) == 2


def test_memory_is_that_of_all_processes_together() -> None:
    if not Path("/proc/self/task").is_dir():
        pytest.skip("this system does not tell the memory of other processes in /proc")
    fill = "import sys, time; x = bytearray(100_000_000); print(1, flush=True); time.sleep(60)"
    both = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {fill!r}])"
    with subprocess.Popen([sys.executable, "-c", both], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        with watched_memory(parent.pid) as watch:
            time.sleep(0.5)
        for child in Path(f"/proc/{parent.pid}/task").glob("*/children"):
            for pid in child.read_text().split():
                os.kill(int(pid), signal.SIGKILL)
    assert 1.1e8 < watch.peak < 4e8
