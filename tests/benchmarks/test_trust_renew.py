"""`benchmarks trust --files-only`: a new export is measured, and nothing else is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from export.commands import run as export_command
from runtimes.console import Verb, run_program

from .conftest import Exported
from .trust_calls import FEW, run

pytestmark = pytest.mark.slow


def _export(folder: Path, out: Path, *words: str) -> None:
    verbs = (Verb("run", "", export_command.__name__),)
    told = [str(folder), "--out", str(out), "--parity-images", "64", *words]
    told += ["--only", "onnx:fp32", "onnx:int8"]
    assert run_program("export", "", verbs, ["run", *told]) == 0


@pytest.fixture(scope="module")
def measured(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that carries what was fitted, its files, and the whole measurement of them."""
    folder = tmp_path_factory.mktemp("renew")
    shutil.copytree(exported.run, folder / "run")
    words = ["--work", folder / "work", *FEW]
    assert run("trust", folder / "run", "--out", folder / "first", *words, "--adopt") == 0
    _export(folder / "run", folder / "artifacts")
    words += ["--artifacts", folder / "artifacts", "--out", folder / "out"]
    words += ["--run", f"another={exported.run}"]
    assert run("trust", folder / "run", *words) == 0
    _export(folder / "run", folder / "artifacts", "--calibration-images", "64")
    return folder


def _document(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "out" / "trust.json").read_text()))


def _copy(measured: Path, tmp_path: Path) -> Path:
    shutil.copytree(measured / "out", tmp_path / "out")
    return tmp_path / "out"


def test_only_the_file_that_changed_is_measured_anew(measured: Path, tmp_path: Path) -> None:
    out, before = _copy(measured, tmp_path), _document(measured)
    assert before["adopted"]
    words = ["--artifacts", measured / "artifacts", "--work", tmp_path / "work", *FEW]
    assert run("trust", measured / "run", *words, "--out", out, "--files-only") == 0
    after = _document(tmp_path)
    changed = {key for key in after if before.get(key) != after[key]}
    assert changed == {"files", "changes", "files_provenance"}
    assert after["files"][0] == before["files"][0]
    assert after["files"][1]["sha256"] != before["files"][1]["sha256"]
    torch = [each["changes"]["formats"]["torch:fp32"] for each in (before, after)]
    assert torch[0] == torch[1]
    assert {path.name for path in out.iterdir()} == {
        path.name for path in (measured / "out").iterdir()
    }
    text = (out / "README.md").read_text()
    assert "--files-only" in text
    assert "by the second command" in text
    asked = {path.name.rpartition("-")[0] for path in (tmp_path / "work").iterdir()}
    assert asked == {"onnx-int8", "changed-torch-fp32", "changed-onnx-int8"}


def test_a_file_that_is_left_out_keeps_its_figures(measured: Path, tmp_path: Path) -> None:
    out, before = _copy(measured, tmp_path), _document(measured)
    words = ["--artifacts", measured / "artifacts", "--work", measured / "work", *FEW]
    words += ["--only", "onnx:int8", "--out", out]
    assert run("trust", measured / "run", *words, "--files-only") == 0
    after = _document(tmp_path)
    assert [row["format"] for row in after["files"]] == ["onnx:fp32", "onnx:int8"]
    assert after["missing"] == before["missing"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--changed", "7"], "another amounts"),
        (["--adopt"], "--adopt is about more than the files"),
        (["--run", "a=b"], "--run is about more than the files"),
    ],
)
def test_what_does_not_go_together_is_refused(
    measured: Path,
    tmp_path: Path,
    words: list[str],
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, before = _copy(measured, tmp_path), _document(measured)
    own = ["--artifacts", measured / "artifacts", "--work", tmp_path / "work", "--out", out]
    assert run("trust", measured / "run", *own, *FEW, "--files-only", *words) == 2
    assert told in capsys.readouterr().err
    assert _document(tmp_path) == before


def test_files_only_needs_files_and_what_was_measured_before(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("trust", measured / "run", "--files-only") == 2
    assert "--artifacts" in capsys.readouterr().err
    words = ["--artifacts", measured / "artifacts", "--work", tmp_path / "work", *FEW]
    assert run("trust", measured / "run", *words, "--out", tmp_path / "no", "--files-only") == 2
    assert "nothing to renew" in capsys.readouterr().err
    out = _copy(measured, tmp_path)
    (out / "trust.json").write_text('{"schema": "dermport.trust"}')
    assert run("trust", measured / "run", *words, "--out", out, "--files-only") == 2
    assert "damaged" in capsys.readouterr().err


def test_what_another_decision_was_measured_for_is_not_kept(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = _copy(measured, tmp_path)
    document = json.loads((out / "trust.json").read_text())
    document["unknown"]["threshold"] += 1
    (out / "trust.json").write_text(json.dumps(document))
    words = ["--artifacts", measured / "artifacts", "--work", tmp_path / "work", *FEW]
    assert run("trust", measured / "run", *words, "--out", out, "--files-only") == 2
    assert "another temperature, score or thresholds" in capsys.readouterr().err
