"""`benchmarks trust --files-only`: a new export is measured, and nothing else is lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
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
    """A run that carries what was fitted, its files, and the whole measurement of them.

    The int8 file is another one afterwards. `first` was measured before anything was adopted.
    """
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
    return dict(json.loads((folder / "trust.json").read_text()))


def _renew(measured: Path, out: Path, *words: object, work: Path | None = None) -> int:
    own = ["--artifacts", measured / "artifacts", "--work", work or measured / "work"]
    return run("trust", measured / "run", *own, "--out", out, *FEW, "--files-only", *words)


@pytest.fixture
def out(measured: Path, tmp_path: Path) -> Path:
    """A copy of the results."""
    shutil.copytree(measured / "out", tmp_path / "out")
    return tmp_path / "out"


def test_only_the_file_that_changed_is_measured_anew(
    measured: Path, out: Path, tmp_path: Path
) -> None:
    before = _document(out)
    assert before["adopted"]
    assert _renew(measured, out, work=tmp_path / "work") == 0
    after = _document(out)
    assert {key for key in after if before.get(key) != after[key]} == {"files", "changes"}
    assert after["files"][0] == before["files"][0]
    assert after["files"][1]["sha256"] != before["files"][1]["sha256"]
    assert after["files"][1]["provenance"]["git_commit"] == before["provenance"]["git_commit"]
    torch = [each["changes"]["formats"]["torch:fp32"] for each in (before, after)]
    assert torch[0] == torch[1]
    assert {path.name for path in out.iterdir()} == {
        path.name for path in (measured / "out").iterdir()
    }
    text = (out / "README.md").read_text()
    assert "--artifacts ARTIFACTS --files-only --pictures 8" in text
    assert "by the second command: `onnx:int8`, changes of the picture." in text
    asked = {path.name.rpartition("-")[0] for path in (tmp_path / "work").iterdir()}
    assert asked == {"onnx-int8", "changed-torch-fp32", "changed-onnx-int8"}


def test_a_file_that_is_left_out_keeps_its_figures(measured: Path, out: Path) -> None:
    assert _renew(measured, out) == 0
    before = _document(out)
    assert _renew(measured, out, "--only", "onnx:fp32") == 0
    after = _document(out)
    for key in ("files", "missing"):
        assert after[key] == before[key]
    assert after["changes"]["formats"] == before["changes"]["formats"]


def test_what_was_measured_before_it_was_adopted_gets_its_files(
    measured: Path, tmp_path: Path
) -> None:
    out = tmp_path / "first"
    shutil.copytree(measured / "first", out)
    assert not _document(out)["adopted"]
    assert _renew(measured, out) == 0
    found = _document(out)
    assert found["adopted"]
    assert [row["format"] for row in found["files"]] == ["onnx:fp32", "onnx:int8"]
    assert "not compared" not in (out / "README.md").read_text()
    assert not any("evidence" in told or "artifact folder" in told for told in found["missing"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--changed", "7"], "was measured with --pictures 8 --masked 9 --changed 6"),
        (["--adopt"], "--adopt is about more than the files"),
        (["--run", "a=b"], "--run is about more than the files"),
        (["--leave-out", "x"], "--leave-out is about more than the files"),
    ],
)
def test_what_does_not_go_together_is_refused(
    measured: Path, out: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _document(out)
    assert _renew(measured, out, *words) == 2
    assert told in capsys.readouterr().err
    assert _document(out) == before


def test_files_only_needs_files_and_what_was_measured_before(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("trust", measured / "run", "--files-only") == 2
    assert "--artifacts" in capsys.readouterr().err
    assert _renew(measured, tmp_path / "no") == 2
    assert "nothing to renew" in capsys.readouterr().err


OTHERS: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "student": ("another student", lambda found: found["student"].update(sha256="0" * 64)),
    "split": ("another student or split", lambda found: found["split"].update(sha256="0" * 64)),
    "decision": (
        "another temperature, score or thresholds",
        lambda found: found["unknown"].update(threshold=1e3),
    ),
    "masks": ("other masks", lambda found: found["material"].update(masks="0" * 64)),
    "photos": ("other photos", lambda found: found["material"].update(photos="0" * 64)),
    "no masks": ("has lesion masks now", lambda found: found.update(where=None)),
    "version": ("of another version", lambda found: found.update(version="2.0")),
    "a part": ("damaged", lambda found: found.pop("withheld")),
    "words": ("damaged", lambda found: found.update(missing=[3])),
    "letters": ("damaged", lambda found: found.update(missing="abc")),
    "no word on adopting": ("damaged", lambda found: found.pop("adopted")),
    "no hashes": ("damaged", lambda found: found.update(material=[])),
    "a file": ("damaged", lambda found: found.update(files=[{}])),
    "not a number": (
        "damaged",
        lambda found: found["withheld"].update(extra=float("nan")),
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_of_something_else_or_damaged_is_not_kept(
    measured: Path, out: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told, change = OTHERS[what]
    document = _document(out)
    change(document)
    (out / "trust.json").write_text(json.dumps(document))
    before = (out / "trust.json").read_text()
    assert _renew(measured, out) == 2
    assert told in capsys.readouterr().err
    assert (out / "trust.json").read_text() == before
