"""The class maps that files put out are Grad-CAM, to 1e-5 in float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from distill.checkpoint import load_classifier
from distill.gradcam import grad_cam
from distill.models import build_classifier, normalise
from export.deployable import Deployable
from export.golden import golden_images

RELEASED = Path(__file__).resolve().parents[2] / "models" / "mobilenet_v2-ssd_kd"


@pytest.mark.parametrize("architecture", ["released", "mobilenet_v2", "resnet18", "densenet121"])
def test_grad_cam_equals_the_exported_class_maps(architecture: str) -> None:
    torch.manual_seed(0)
    if architecture == "released":
        classifier = load_classifier(RELEASED / "student.safetensors")
    else:
        classifier = build_classifier(architecture, 8).eval()
        torch.nn.init.normal_(classifier.classifier.weight, std=0.5)
    images = golden_images(64)[:4]
    classes = torch.tensor([0, 3, 5, 7])
    pixels = torch.from_numpy(images).float()
    found = grad_cam(classifier, normalise(pixels.permute(0, 3, 1, 2)), classes).numpy()
    with torch.no_grad():
        maps = Deployable(classifier, 1.3)(pixels).cam.numpy()
    exported = maps[np.arange(4), :, :, classes.numpy()]
    places = exported.shape[1] * exported.shape[2]
    unit = np.abs(exported).max()
    assert unit > 0
    assert np.abs(found * places - exported).max() / unit < 1e-5
    # of another class it is another map
    other = maps[np.arange(4), :, :, (classes.numpy() + 1) % 8]
    assert np.abs(found * places - other).max() / unit > 1e-2
