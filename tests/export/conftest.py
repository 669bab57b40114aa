"""A tiny trained-looking network with everything that export folds, and its contract."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from distill.models import Classifier
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
