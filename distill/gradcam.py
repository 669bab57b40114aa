"""Grad-CAM by gradients, which the exported class maps are compared with."""

from __future__ import annotations

import torch
from torch import Tensor

from distill.models import Classifier


def grad_cam(classifier: Classifier, pixels: Tensor, classes: Tensor) -> Tensor:
    """Returns Grad-CAM of the last map, before its negative part is cut off, (n, h, w).

    α_c = 1/(h·w) Σ ∂z_k/∂F_c over the places, map = Σ_c α_c F_c (Selvaraju et al. 2017, equations 1
    and 2). With a global average and one linear layer α is w_k/(h·w), so the map is the class
    activation map of k divided by h·w.

    Args:
        classifier: in evaluation mode.
        pixels: normalised, (n, 3, H, W).
        classes: k of each image, (n,).
    """
    with torch.no_grad():
        last_map = classifier.trunk(pixels)
    with torch.enable_grad():
        last_map = last_map.requires_grad_(True)
        logits = classifier.classifier(last_map.mean(dim=(2, 3)))
        chosen = logits.gather(1, classes[:, None]).sum()
        (gradient,) = torch.autograd.grad(chosen, last_map)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return (weights * last_map.detach()).sum(dim=1)
