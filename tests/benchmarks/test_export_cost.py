"""Time and memory of an export are those of its process, and limits are gates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.commands import export as command
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


def test_a_failed_export_is_no_measurement(exported: Exported) -> None:
    words = ["export", str(exported.run), "--data", str(exported.artifacts)]
    assert run_program("benchmarks", "", VERB, words) == 1
    assert run_program("benchmarks", "", VERB, ["export", str(exported.artifacts)]) == 2
