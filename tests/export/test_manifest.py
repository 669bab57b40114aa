"""The manifest says only what is true of the folder it lies in."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from export.image_set import ImageSet
from export.manifest import Manifest, check_artifacts
from runtimes.contract import Contract
from runtimes.errors import InputError
from runtimes.hashes import sha256_of, size_of
from runtimes.integrity import MANIFEST_FILE

IMAGES = ImageSet("validation", 0, ("a", "b"), {"MEL": 2}, lesions=2)
CALIBRATION = ImageSet("train", 0, ("c", "d"), {"MEL": 2}, lesions=2)


def _about(student: str = "s") -> dict[str, Any]:
    return {"student": {"sha256": student}}


def _deliver(folder: Path, manifest: Manifest, file: str, content: bytes = b"model") -> None:
    manifest.withdraw(file)
    (folder / file).write_bytes(content)
    entry = {"format": file, "file": file, "sha256": sha256_of(folder / file)}
    manifest.add(entry, CALIBRATION if "int8" in file else None, IMAGES)


def _document(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / MANIFEST_FILE).read_text()))


@pytest.fixture
def folder(tmp_path: Path, contract: Contract) -> Path:
    manifest = Manifest(tmp_path, contract, _about())
    for file in ("a.onnx", "a-int8.onnx"):
        _deliver(tmp_path, manifest, file)
    return tmp_path


def _files(manifest: Manifest) -> list[str]:
    return [entry["file"] for entry in manifest.entries]


def test_files_are_listed_in_the_order_of_the_formats(tmp_path: Path, contract: Contract) -> None:
    manifest = Manifest(tmp_path, contract, _about())
    order = ["onnx:fp32", "onnx:int8", "coreml:fp16", "tflite:int8"]
    for key in (*order[2:], "other", *order[:2]):  # two processes deliver as they go
        (tmp_path / key).write_bytes(key.encode())
        entry = {"format": key, "file": key, "sha256": sha256_of(tmp_path / key)}
        manifest.add(entry, None, IMAGES)
    assert [entry["format"] for entry in _document(tmp_path)["files"]] == [*order, "other"]


def test_an_untouched_file_of_the_same_student_stays_listed(
    folder: Path, contract: Contract
) -> None:
    manifest = Manifest(folder, contract, _about())
    assert _files(manifest) == ["a.onnx", "a-int8.onnx"]
    _deliver(folder, manifest, "b.tflite")
    assert [entry["file"] for entry in _document(folder)["files"]] == [*_files(manifest)]


def test_each_entry_says_which_images_it_was_made_and_checked_with(
    folder: Path, contract: Contract
) -> None:
    manifest = Manifest(folder, contract, _about())
    _deliver(folder, manifest, "b.tflite")  # one that needs no calibration
    found = _document(folder)
    by_file = {entry["file"]: entry for entry in found["files"]}
    assert by_file["b.tflite"]["calibration"] is None
    used = by_file["a-int8.onnx"]["calibration"]
    assert found["image_sets"][used]["ids"] == ["c", "d"]
    assert found["image_sets"][by_file["b.tflite"]["verification"]]["ids"] == ["a", "b"]


def test_a_file_of_another_student_contract_or_content_is_not_listed(
    folder: Path, contract: Contract
) -> None:
    assert _files(Manifest(folder, contract, _about("another"))) == []
    other = replace(contract, license="another")
    assert _files(Manifest(folder, other, _about())) == []
    (folder / "a.onnx").write_bytes(b"changed")
    assert _files(Manifest(folder, contract, _about())) == ["a-int8.onnx"]
    (folder / "a-int8.onnx").unlink()
    assert _files(Manifest(folder, contract, _about())) == []


def test_an_export_that_delivers_nothing_leaves_the_records_of_another_student(
    folder: Path, contract: Contract
) -> None:
    before = (folder / MANIFEST_FILE).read_bytes()
    Manifest(folder, replace(contract, license="another"), _about("another"))
    assert (folder / MANIFEST_FILE).read_bytes() == before


def test_a_kill_while_a_file_is_replaced_leaves_no_false_entry(
    folder: Path, contract: Contract
) -> None:
    Manifest(folder, contract, _about()).withdraw("a.onnx")
    assert [entry["file"] for entry in _document(folder)["files"]] == ["a-int8.onnx"]
    Manifest(folder, contract, _about("another")).withdraw("a.onnx")
    assert _document(folder)["files"] == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "dermport.manifest"}'])
def test_a_damaged_manifest_keeps_nothing(folder: Path, contract: Contract, text: str) -> None:
    (folder / MANIFEST_FILE).write_text(text)
    assert _files(Manifest(folder, contract, _about())) == []


def test_model_files_that_nobody_lists_are_found(folder: Path, contract: Contract) -> None:
    (folder / "old.tflite").touch()
    (folder / "old.mlpackage").mkdir()
    assert Manifest(folder, contract, _about()).unlisted_files() == ["old.mlpackage", "old.tflite"]


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


def test_files_go_into_a_folder_of_their_own(tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    run.mkdir()
    (run / "student.safetensors").write_text("x")
    for place in (run, run / "inside", tmp_path):
        with pytest.raises(InputError, match="lie in each other"):
            check_artifacts(place, run)
    check_artifacts(out, run)
    out.mkdir()
    (out / "run-fp32.onnx").write_text("of an export that was killed")
    check_artifacts(out, run)
    (out / "thesis.txt").write_text("years")
    with pytest.raises(InputError, match=r"something else than an export \(thesis\.txt\)"):
        check_artifacts(out, run)
    about = {"schema": "dermport.manifest", "student": {"run": "run"}}
    (out / "manifest.json").write_text(json.dumps(about))
    check_artifacts(out, run)  # a note of one's own beside an export
    about["student"]["run"] = "other"  # type: ignore[index]
    (out / "manifest.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="files of the run 'other'"):
        check_artifacts(out, run)
    (out / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="it is damaged"):
        check_artifacts(out, run)


@pytest.mark.parametrize("damage", ["[" * 100_000, '{"files": [3]}', "[]", "{"])
def test_a_damaged_manifest_counts_as_none(damage: str, tmp_path: Path, contract: Contract) -> None:
    (tmp_path / "manifest.json").write_text(damage)
    assert Manifest(tmp_path, contract, {"student": {"sha256": "a"}}).entries == []
