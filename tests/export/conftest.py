"""A tiny trained-looking network with everything that export folds, and a short run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from distill.models import Classifier
from distill.sample import write_sample
from export.golden import golden_images
from runtimes.contract import Calibration, Contract, Label, Preprocessing, Training

from .half_networks import with_detour

SIZE = 32


class TinyTrunk(nn.Module):
    """Stem, inverted residual and last convolution of a very small MobileNetV2."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(inplace=True)
        )
        self.depthwise = nn.Sequential(
            nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU6()
        )
        self.project = nn.Sequential(nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8))
        self.last = nn.Sequential(
            nn.Conv2d(8, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU6()
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) to (N, 24, S / 4, S / 4)."""
        stem = self.stem(pixels)
        return self.last(stem + self.project(self.depthwise(stem)))


def enlivened(model: Classifier, size: int) -> Classifier:
    """Gives a new network the numbers of a trained one: BatchNorms that do something, wide logits.

    With the mean 0 and the variance 1 of a new BatchNorm, leaving it out would change nothing.
    """
    torch.manual_seed(0)
    nn.init.normal_(model.classifier.weight, std=0.5)
    nn.init.normal_(model.classifier.bias, std=0.5)
    pixels = (torch.from_numpy(golden_images(size)).permute(0, 3, 1, 2).float() - 128) / 127.5
    model.eval()  # dropped layers would make the statistics those of another network
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train().momentum = None
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.5)
    with torch.no_grad():
        model(pixels)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    torch.manual_seed(0)
    return enlivened(Classifier("tiny", TinyTrunk(), 24, 4, 0.1), SIZE)


@pytest.fixture(scope="session")
def enliven() -> Callable[[Classifier, int], Classifier]:
    return enlivened


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """64 different pictures, uint8 (64, 32, 32, 3)."""
    drawn = golden_images(SIZE).astype(np.int16)
    shifts = np.random.default_rng(0).integers(-60, 60, (8, 1, 1, 1, 3))
    return np.clip(drawn + shifts, 0, 255).astype(np.uint8).reshape(64, SIZE, SIZE, 3)


@pytest.fixture(scope="session")
def contract() -> Contract:
    return Contract(
        name="tiny",
        labels=tuple(Label(code, code) for code in "ABCD"),
        preprocessing=Preprocessing(True, "none", 16, SIZE, "bilinear", True),
        calibration=Calibration(1.3, -1.0, 0.95, {}),
        training=Training("no_kd", "tiny", None, "drawn", True, 9, "lesion", "0" * 64, 0, {}),
        license="Apache-2.0",
        intended_use="tests",
    )


@pytest.fixture(scope="module")
def loud(classifier: Classifier) -> Classifier:
    """A network with outputs beyond float16."""
    return with_detour(classifier, loud=True)


@pytest.fixture(scope="module")
def faint(classifier: Classifier) -> Classifier:
    """A network with a channel of weights that float16 takes for zero."""
    return with_detour(classifier, loud=False)


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


@pytest.fixture(scope="session")
def run(made_once: Callable[..., Path]) -> Path:
    """A run of `distill train` on the synthetic sample, as short as it can be."""
    return made_once("trained", _train) / "run"


def _train(folder: Path) -> None:
    write_sample(folder / "data", per_class=60, size=40)
    (folder / "tiny.yaml").write_text(BUDGET)
    words = ["--data", str(folder / "data"), "--out", str(folder / "run")]
    words += ["--budget", str(folder / "tiny.yaml"), "--pair", "resnet18:mobilenet_v2"]
    words += ["--cache-dir", str(folder / "cache")]
    done = subprocess.run(
        [sys.executable, "-m", "distill", "train", "no_kd", *words],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
