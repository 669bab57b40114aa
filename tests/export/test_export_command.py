"""A finished run exported from the command line: delivered whole and checked, or not at all."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from distill.sample import write_sample
from runtimes.metadata import read_contract
from runtimes.session import open_model

BUDGET = """
name: tiny
purpose: test
cache: 40
evaluation_size: 64
teacher: {phases: [{epochs: 1, size: 40, batch: 32}], lr: 0.01, weights: random}
head: {}
student:
  phases: [{epochs: 0.2, size: 64, batch: 16}]
  lr: 0.01
  weights: random
"""


def _program(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    write_sample(folder / "data", per_class=60, size=40)
    (folder / "tiny.yaml").write_text(BUDGET)
    words = ["--data", str(folder / "data"), "--out", str(folder / "run")]
    words += ["--budget", str(folder / "tiny.yaml"), "--pair", "resnet18:mobilenet_v2"]
    words += ["--cache-dir", str(folder / "cache")]
    done = _program("distill", "train", "no_kd", *words)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "run"


@pytest.fixture(scope="module")
def artifacts(run: Path) -> Path:
    out = run.parent / "artifacts"
    words = ["export", "run", str(run), "--out", str(out), "--parity-images", "64"]
    done = _program(*words, "--only", "onnx:fp32", "tflite:fp32")
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def test_only_the_asked_files_are_delivered_with_hashes_and_nothing_is_left_over(
    artifacts: Path,
) -> None:
    names = {path.name for path in artifacts.iterdir()}
    reports = {"contract.json", "golden.safetensors", "manifest.json", "parity.json"}
    assert names == {"run-fp32.onnx", "run-fp32.tflite", *reports}
    for entry in json.loads((artifacts / "manifest.json").read_text())["files"]:
        content = (artifacts / entry["file"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["bytes"] == len(content)


@pytest.mark.parametrize("name", ["run-fp32.onnx", "run-fp32.tflite"])
def test_every_file_explains_itself_and_gives_its_golden_answers(
    name: str, artifacts: Path
) -> None:
    contract = read_contract(artifacts / name)
    assert contract.training.synthetic
    golden = load_file(artifacts / "golden.safetensors")
    found = open_model(artifacts / name).predict(golden["image"])
    assert np.abs(found.probabilities - golden["torch/probabilities"]).max() < 1e-4
    assert np.allclose(found.cam, golden["torch/cam"], atol=1e-3)


def test_parity_is_kept_as_data(artifacts: Path) -> None:
    parity = json.loads((artifacts / "parity.json").read_text())
    assert parity["synthetic"] is True
    assert parity["images"] >= 64
    assert {row["verdict"] for row in parity["rows"]} == {"passed"}


def test_a_misspelt_format_is_an_error_that_lists_the_formats(run: Path) -> None:
    done = _program("export", "run", str(run), "--only", "tflite:int4")
    assert done.returncode == 2
    assert "tflite:int8" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    done = _program("export", "run", str(tmp_path), "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
