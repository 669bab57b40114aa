"""The manifest says only what is true of the folder it lies in."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from export.manifest import (
    build_manifest,
    kept_entries,
    unlisted_files,
)
from runtimes.hashes import sha256_of, size_of
from runtimes.integrity import MANIFEST_FILE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.onnx").write_bytes(b"model")
    entry = {"format": "onnx:fp32", "file": "a.onnx", "sha256": sha256_of(tmp_path / "a.onnx")}
    document = build_manifest("a", {"student": {"sha256": "s"}}, [entry])
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(document))
    return tmp_path


def test_an_untouched_file_of_the_same_student_stays_listed(folder: Path) -> None:
    assert [entry["file"] for entry in kept_entries(folder, "s", {"tflite:int8"})] == ["a.onnx"]


def test_a_file_of_another_student_a_new_or_a_changed_one_does_not(folder: Path) -> None:
    assert kept_entries(folder, "another", set()) == []
    assert kept_entries(folder, "s", {"onnx:fp32"}) == []
    (folder / "a.onnx").write_bytes(b"changed")
    assert kept_entries(folder, "s", set()) == []
    (folder / "a.onnx").unlink()
    assert kept_entries(folder, "s", set()) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "dermport.manifest"}'])
def test_a_damaged_manifest_keeps_nothing(folder: Path, text: str) -> None:
    (folder / MANIFEST_FILE).write_text(text)
    assert kept_entries(folder, "s", set()) == []


def test_model_files_that_nobody_lists_are_found(folder: Path) -> None:
    (folder / "old.tflite").touch()
    (folder / "old.mlpackage").mkdir()
    assert unlisted_files(folder, ["a.onnx"]) == ["old.mlpackage", "old.tflite"]


def test_the_hash_of_a_package_is_that_of_sha256sums_lines(tmp_path: Path) -> None:
    package = tmp_path / "m.mlpackage"
    (package / "Data").mkdir(parents=True)
    (package / "Manifest.json").write_text("{}")
    (package / "Data" / "w.bin").write_bytes(b"12345")
    assert size_of(package) == 7
    before = sha256_of(package)
    if shutil.which("sha256sum"):
        command = "sha256sum Data/w.bin Manifest.json | sha256sum"
        done = subprocess.run(command, shell=True, cwd=package, capture_output=True, text=True)
        assert done.stdout.split()[0] == before
    (package / "Data" / "w.bin").rename(package / "Data" / "x.bin")
    assert sha256_of(package) != before
