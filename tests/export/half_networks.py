"""Networks with numbers that float16 has none for."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from distill.models import Classifier
from export.deployable import Deployable
from export.quantization.half_check import check_half, watch_outputs
from export.quantization.half_range import HalfCheck


class WithDetour(nn.Module):
    """A trunk whose last map goes through numbers that float16 has none for, and back."""

    def __init__(self, trunk: nn.Module, *, loud: bool) -> None:
        super().__init__()
        self.body = trunk
        self.away = nn.Sequential(*(nn.Conv2d(24, 24, 1, bias=False) for _ in range(2)))
        self.back = nn.Sequential(*(nn.Conv2d(24, 24, 1, bias=False) for _ in range(2)))
        self.relu = nn.ReLU()
        mix = nn.init.orthogonal_(torch.empty(24, 24))
        away, back = [mix, torch.eye(24)], [torch.eye(24), mix.T.contiguous()]
        if loud:
            away, back = [each * 300 for each in away], [each / 300 for each in back]
        else:
            mix[0] *= 1e-7
            back[0][0, 0] = 1e4
            back[1][:, 0] *= 1e3
        for module, weight in zip((*self.away, *self.back), (*away, *back), strict=True):
            module.weight = nn.Parameter(weight[:, :, None, None])

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) to (N, 24, S / 4, S / 4)."""
        far = self.away(self.body(pixels))
        return self.back(self.relu(far) + far)


def with_detour(classifier: Classifier, *, loud: bool) -> Classifier:
    torch.manual_seed(0)
    trunk = WithDetour(classifier.trunk, loud=loud)
    found = Classifier("tiny", trunk, 24, 4, 0.1)
    found.classifier.load_state_dict(classifier.classifier.state_dict())
    return found.eval().requires_grad_(False)


def checked(classifier: Classifier, images: np.ndarray) -> HalfCheck:
    deployable = Deployable(classifier, 1.3)
    return check_half(deployable, images, watch_outputs(deployable, images))
