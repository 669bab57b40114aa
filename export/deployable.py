"""The deployable module: pixels as they are in; probabilities, class maps and unknown score out."""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distill.models import PIXEL_OFFSET, PIXEL_SCALE, Classifier
from distill.unknown import UnknownScore
from export.folding import (
    drop_stochastic_depth,
    fold_batch_norm,
    fold_input_scale,
    pad_pools_with_zeros,
)

HEAD_WEIGHT = "class_weight"  # the parameter by which a converted head is found
_UNIT = 128.0


class Answer(NamedTuple):
    """What a deployed network says of N images.

    Attributes:
        probabilities: softmax(z / T), (N, K).
        cam: class activation maps, channels last, (N, h, w, K).
        unknown: (N,), higher is less like the training data: minus the largest logit, or the
            distance of the pooled features, see `distill.unknown`.
    """

    probabilities: Tensor
    cam: Tensor
    unknown: Tensor


class Deployable(nn.Module):
    """A trained classifier as every file format receives it.

    The pixels' offset is the only operation before the first convolution; their scale and the
    BatchNorms are folded into the weights. The head computes the class maps once, as a 1×1
    convolution without bias; their spatial mean plus the bias is the logits, because averaging and
    a linear layer commute. Channels stay last from there on, so no layout change is left in TFLite.

    Attributes:
        trunk: pixels minus 128, (N, 3, S, S), to the last map (N, C, h, w).
        temperature: T of the softmax.
    """

    def __init__(self, classifier: Classifier, temperature: float) -> None:
        super().__init__()
        trunk = drop_stochastic_depth(fold_batch_norm(classifier.trunk))
        trunk = pad_pools_with_zeros(trunk)
        self.trunk = fold_input_scale(trunk, PIXEL_SCALE)
        head = classifier.classifier
        self.class_weight = nn.Parameter(head.weight.detach().clone()[:, :, None, None])
        self.class_bias = nn.Parameter(head.bias.detach().clone())
        self.temperature = temperature
        self.unknown = None if classifier.unknown is None else UnknownHead(classifier.unknown)
        self._channels_first = False
        self.requires_grad_(False).eval()

    def forward(self, image: Tensor) -> Answer:
        """RGB pixels of 0 to 255, float32, (N, S, S, 3); see `channels_first`."""
        if self._channels_first:
            return self.head(self.trunk(image * (1 / _UNIT) - PIXEL_OFFSET / _UNIT))
        return self.head(self.trunk((image - PIXEL_OFFSET).permute(0, 3, 1, 2)))

    def with_trunk(self, trunk: nn.Module) -> Deployable:
        """Returns the same module around another trunk."""
        other = copy.copy(self)
        other._modules = {**self._modules, "trunk": trunk}
        return other

    def out_of_place(self) -> Deployable:
        """Returns the same module whose activations leave their input as it is.

        torch.export takes one in place apart into elementary operations, which takes longer than
        all the rest.
        """
        trunk = copy.deepcopy(self.trunk)
        for module in trunk.modules():
            if hasattr(module, "inplace"):
                setattr(module, "inplace", False)  # noqa: B010 - of many classes
        return self.with_trunk(trunk)

    def channels_first(self) -> Deployable:
        """Returns the same module for `image` (N, 3, S, S), as Core ML hands images over.

        Pixels are brought to -1…1 first, by a power of two and so without rounding: with their
        scale folded into them, the first weights are so small that float16 and int8 scales in
        float16 lose digits of them.
        """
        other = self.with_trunk(fold_input_scale(copy.deepcopy(self.trunk), 1 / _UNIT))
        other._channels_first = True
        return other

    def trunk_input(self, images: np.ndarray) -> Tensor:
        """Returns what the trunk reads of RGB pixels, uint8 (N, S, S, 3), in either form."""
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() - PIXEL_OFFSET
        return pixels / _UNIT if self._channels_first else pixels

    def head(self, last_map: Tensor) -> Answer:
        """Last map (N, C, h, w) to the three outputs, float32."""
        maps = F.conv2d(last_map, self.class_weight).permute(0, 2, 3, 1)
        logits = maps.mean(dim=(1, 2)) + self.class_bias
        probabilities = torch.softmax(logits * (1.0 / self.temperature), dim=1)
        largest = logits.amax(dim=1)
        if self.unknown is None:
            return Answer(probabilities, maps, -largest)
        return Answer(probabilities, maps, self.unknown(last_map, largest))


class UnknownHead(nn.Module):
    """The score of `distill.unknown` on the last map, in operators that all converters know.

    The centre is multiplied into the scale beforehand, and the projection divided by it, so that
    no number on the way is large: float16 holds them.
    """

    def __init__(self, score: UnknownScore) -> None:
        super().__init__()
        self.scale, self.share = score.scale, score.share
        self.centre = nn.Parameter(score.centre * score.scale)
        self.projection = nn.Linear(score.projection.shape[1], score.rank, bias=False)
        self.projection.weight = nn.Parameter(score.projection / score.scale)

    def forward(self, last_map: Tensor, largest: Tensor) -> Tensor:
        """Last map (N, C, h, w) and largest logits (N,) to u, (N,)."""
        # Over a layout with channels last, or TFLite would turn the map for this mean.
        pooled = last_map.permute(0, 2, 3, 1).mean(dim=(1, 2))
        away = pooled * self.scale - self.centre
        inside = self.projection(away)
        distance = (away * away).sum(dim=1) - (inside * inside).sum(dim=1)
        return distance - largest * self.share
