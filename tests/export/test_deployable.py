"""The deployable module answers what the trained classifier answers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from distill.models import Classifier, build_classifier
from export.deployable import Deployable
from export.golden import golden_images
from export.reference import Reference


def test_three_outputs_equal_the_classifiers(classifier: Classifier, images: np.ndarray) -> None:
    pixels = torch.from_numpy(images).float()
    found = Deployable(classifier, 1.3)(pixels)
    wanted = Reference(classifier, 1.3)(pixels)
    for name in ("probabilities", "cam", "unknown"):
        assert torch.allclose(getattr(found, name), getattr(wanted, name), atol=1e-4), name


def test_class_maps_average_to_the_logits(classifier: Classifier, images: np.ndarray) -> None:
    found = Deployable(classifier, 1.0)(torch.from_numpy(images).float())
    logits = found.cam.mean(dim=(1, 2)) + classifier.classifier.bias
    assert torch.allclose(torch.softmax(logits, 1), found.probabilities, atol=1e-6)
    assert torch.allclose(-logits.amax(1), found.unknown, atol=1e-6)


def test_the_temperature_changes_probabilities_only(
    classifier: Classifier, images: np.ndarray
) -> None:
    pixels = torch.from_numpy(images).float()
    cold, warm = Deployable(classifier, 1.0)(pixels), Deployable(classifier, 3.0)(pixels)
    assert torch.equal(cold.unknown, warm.unknown)
    assert torch.equal(cold.cam, warm.cam)
    assert (cold.probabilities.amax(1) > warm.probabilities.amax(1)).all()


def test_channels_first_is_the_same_network(classifier: Classifier, images: np.ndarray) -> None:
    pixels = torch.from_numpy(images).float()
    deployable = Deployable(classifier, 1.3)
    found = deployable.channels_first()(pixels.permute(0, 3, 1, 2))
    assert torch.allclose(found.probabilities, deployable(pixels).probabilities, atol=1e-5)


@pytest.mark.parametrize(
    "architecture", ["mobilenet_v2", "resnet18", "densenet121", "efficientnet_b0"]
)
def test_any_classifier_can_be_deployed(
    architecture: str, enliven: Callable[[Classifier, int], Classifier]
) -> None:
    # In float64: what is left is the algebra of folding, not the rounding of some processor.
    classifier = enliven(build_classifier(architecture, 8), 64).double()
    pixels = torch.from_numpy(golden_images(64)).double()
    with torch.no_grad():
        found, wanted = Deployable(classifier, 1.3)(pixels), Reference(classifier, 1.3)(pixels)
    spread = wanted.cam.std()
    assert spread > 0.05
    assert (found.cam - wanted.cam).abs().max() < 1e-6 * spread
    assert torch.allclose(found.probabilities, wanted.probabilities, atol=1e-6)
