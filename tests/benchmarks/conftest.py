"""A tiny run on synthetic images with a few of its exported files."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from benchmarks.arm import parity as arm
from benchmarks.flops.report import count_all
from benchmarks.latency.files import find_files
from benchmarks.latency.measure import Settings, measure_latency
from benchmarks.parity import measure_parity
from benchmarks.report.findings import Inputs
from distill.dataset import open_dataset
from distill.sample import write_sample
from distill.torchvision_compat import import_torchvision
from distill.weights import IMAGENET

from .opinion_records import arm_rows_of, opinions_of
from .phone_records import PHONE, record, rows_of

BUDGET = """
name: tiny
purpose: test
cache: 40
evaluation_size: 64
teacher: {phases: [{epochs: 1, size: 40, batch: 32}], lr: 0.01, weights: random}
head: {}
student:
  phases: [{epochs: 0.2, size: 64, batch: 16}]
  lr: 0.001
"""


@dataclass(frozen=True)
class Exported:
    """A finished run and the folder of its files."""

    run: Path
    artifacts: Path


def write_lively_weights(folder: Path, pictures: list[Path]) -> None:
    """Writes MobileNetV2 weights whose features differ from picture to picture.

    Those of a new network hardly do, and a test of its answers could hardly fail.
    """
    torch.manual_seed(0)
    network = import_torchvision().models.mobilenet_v2()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the statistics become those of the pictures below
            nn.init.uniform_(module.weight, 0.8, 1.6)
            nn.init.normal_(module.bias, std=0.4)
    pixels = torch.stack([torch.from_numpy(np.array(Image.open(file))) for file in pictures])
    pixels = F.interpolate(pixels.permute(0, 3, 1, 2).float(), 64)
    mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET.mean, IMAGENET.std))
    with torch.no_grad():
        network.train()((pixels - mean) / std)
    folder.mkdir()
    save_file(network.state_dict(), folder / "mobilenet_v2.safetensors")


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("benchmarks")
    write_sample(folder / "data", per_class=60, size=40)
    (folder / "tiny.yaml").write_text(BUDGET)
    words = ["--data", str(folder / "data"), "--out", str(folder / "run")]
    words += ["--budget", str(folder / "tiny.yaml"), "--pair", "resnet18:mobilenet_v2"]
    write_lively_weights(folder / "weights", sorted((folder / "data" / "images").iterdir())[::15])
    words += ["--weights-dir", str(folder / "weights")]
    _program("distill", "train", "no_kd", *words, "--cache-dir", str(folder / "cache"))
    words = ["--only", "onnx:fp32", "onnx:int8", "--parity-images", "64"]
    out = folder / "artifacts"
    _program("export", "run", str(folder / "run"), "--out", str(out), *words)
    return Exported(folder / "run", out)


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
