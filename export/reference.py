"""What every file is compared with: the trained classifier itself, in torch and float32."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from distill.models import Classifier, normalise
from export.deployable import Answer
from runtimes.contract import Contract
from runtimes.torch_runtime import TorchSession


class Reference(nn.Module):
    """The three outputs of a classifier as it was trained: nothing folded, nothing rearranged."""

    def __init__(self, classifier: Classifier, temperature: float) -> None:
        super().__init__()
        self.classifier = classifier
        self.temperature = temperature

    def forward(self, image: Tensor) -> Answer:
        """RGB pixels of 0 to 255, float32, (N, S, S, 3)."""
        features = self.classifier(normalise(image.permute(0, 3, 1, 2)))
        maps = torch.einsum("nchw,kc->nhwk", features.last_map, self.classifier.classifier.weight)
        probabilities = torch.softmax(features.logits / self.temperature, dim=1)
        score = self.classifier.unknown
        if score is None:
            return Answer(probabilities, maps, -features.logits.amax(dim=1))
        return Answer(probabilities, maps, score.of(features.pooled, features.logits))


def reference_session(classifier: Classifier, contract: Contract) -> TorchSession:
    """Opens a classifier as the runtimes open a file."""
    return TorchSession(Reference(classifier, contract.calibration.temperature), contract)
