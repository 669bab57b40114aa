"""A tiny run on synthetic images with a few of its exported files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from benchmarks.arm import parity as arm
from benchmarks.arm.machine import ArmMachine, arm_machine, obstacle
from benchmarks.flops.report import count_all
from benchmarks.latency.files import find_files
from benchmarks.latency.measure import Settings, measure_latency
from benchmarks.parity import measure_parity
from benchmarks.report.findings import Inputs
from distill.dataset import Dataset, open_dataset, prepare_dataset
from distill.sample import write_sample

from .opinion_records import arm_rows_of, opinions_of
from .phone_records import PHONE, record, rows_of

STUDENT = Path(__file__).parents[2] / "models" / "mobilenet_v2-ssd_kd" / "student.safetensors"
BUDGET = """
name: tiny
purpose: test
cache: 40
evaluation_size: 64
teacher: {phases: [{epochs: 1, size: 40, batch: 32}], lr: 0.01, weights: random}
head: {}
student:
  phases: [{epochs: 2, size: 64, batch: 16}]
  optimizer: adamw
  schedule: cosine
  lr: 0.001
"""


@dataclass(frozen=True)
class Exported:
    """A finished run and the folder of its files."""

    run: Path
    artifacts: Path


def write_trained_weights(folder: Path) -> None:
    """Writes the released student's layers as initial weights, by torchvision's key names.

    A new network gives nearly one answer to all pictures, and a test of it could hardly fail.
    """
    trained = load_file(STUDENT)
    layers = {
        key.replace("trunk.", "features.", 1): value
        for key, value in trained.items()
        if key.startswith("trunk.")
    }
    folder.mkdir()
    save_file(layers, folder / "mobilenet_v2_tfhub.safetensors")  # so named: pixels of -1 to 1


@pytest.fixture(scope="session")
def exported(made_once: Callable[..., Path]) -> Exported:
    folder = made_once("exported", _export)
    return Exported(folder / "run", folder / "artifacts")


@pytest.fixture(scope="session")
def dataset(exported: Exported) -> Dataset:
    """The data set of the exported run."""
    return open_dataset(exported.run)


@pytest.fixture(scope="session")
def machine(made_once: Callable[..., Path]) -> ArmMachine:
    """An emulated ARM processor, fetched once (250 MB)."""
    if reason := obstacle():
        pytest.skip(f"ARM emulation: {reason}")
    folder = made_once("arm", lambda folder: arm_machine(folder / "machine"))
    return arm_machine(folder / "machine")


def _export(folder: Path) -> None:
    write_sample(folder / "data", per_class=60, size=40)
    (folder / "tiny.yaml").write_text(BUDGET)
    words = ["--data", str(folder / "data"), "--out", str(folder / "run")]
    words += ["--budget", str(folder / "tiny.yaml"), "--pair", "resnet18:mobilenet_v2"]
    write_trained_weights(folder / "weights")
    words += ["--weights-dir", str(folder / "weights")]
    _program("distill", "train", "no_kd", *words, "--cache-dir", str(folder / "cache"))
    words = ["--only", "onnx:fp32", "onnx:int8", "--parity-images", "64"]
    out = folder / "artifacts"
    _program("export", "run", str(folder / "run"), "--out", str(out), *words)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Synthetic images of 32 px with their masks, split and decoded; nothing is trained."""
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder / "data", per_class=40, size=32)
    return prepare_dataset(folder / "data", 32, cache_folder=folder / "cache")


@pytest.fixture(scope="session")
def measured(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """What a report of the tiny export stands on, written by the verbs' own code."""
    folder = tmp_path_factory.mktemp("measured")
    files = find_files([exported.artifacts])
    results = {
        "parity": measure_parity(exported.artifacts, exported.run, open_dataset(exported.run)),
        "latency": measure_latency(files, Settings(runs=8, seconds=1e-6)),
        "flops": count_all(files),
    }
    for name, found in results.items():
        (folder / f"{name}.json").write_text(json.dumps(found.to_json()))
    return Inputs(
        artifacts=exported.artifacts,
        parity=folder / "parity.json",
        latency=(folder / "latency.json",),
        flops=folder / "flops.json",
        metrics=exported.run / "metrics.json",
    )


@pytest.fixture(scope="session")
def complete(measured: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """The same with a phone and with second opinions."""
    folder = tmp_path_factory.mktemp("complete")
    files = find_files([measured.artifacts])
    phone = record(files, {"5e1f0000": (PHONE, rows_of(files))})
    contents = {
        "phone": phone.to_json(),
        "opinions": opinions_of(files).to_json(),
        "arm": arm.to_json(arm_rows_of(files), 4),
    }
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content, allow_nan=False))
    return replace(
        measured,
        phone=(folder / "phone.json",),
        opinions=folder / "opinions.json",
        arm=folder / "arm.json",
    )


def _program(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
