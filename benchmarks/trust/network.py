"""What a network knows of many images at once: pooled features, logits and class maps, in torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from distill.device import to_channels_last
from distill.models import PIXEL_OFFSET, Classifier
from export.deployable import Deployable
from runtimes.console import Progress
from runtimes.preprocess import resize_square

_AT_ONCE = 64


@dataclass(frozen=True)
class Known:
    """What a network knows of N images.

    Attributes:
        pooled: f, global average of the last map, (N, C) float32.
        logits: z, (N, K) float32.
        maps: class activation maps, (N, h, w, K) float32; None where nobody asked for them.
    """

    pooled: np.ndarray
    logits: np.ndarray
    maps: np.ndarray | None = None


class Network:
    """A classifier with its BatchNorms folded, as it is exported, that answers with features.

    Args:
        classifier: in evaluation mode, on the CPU.
        size: S, side of its input in pixels.
    """

    def __init__(self, classifier: Classifier, size: int) -> None:
        self.size = size
        self.classes = classifier.num_classes
        self._module = Deployable(classifier, 1.0)
        to_channels_last(self._module.trunk, torch.device("cpu"))

    @torch.no_grad()
    def ask(
        self, images: Sequence[np.ndarray], bar: Progress | None = None, maps: bool = False
    ) -> Known:
        """Answers for images of any square size, which are enlarged as applications do it.

        Args:
            images: uint8 (E, E, 3), at the effective resolution of the training data.
            bar: advanced by the number of images.
            maps: whether class maps are kept.
        """
        pooled, logits, drawn = [], [], []
        for batch in _batches(images):
            pixels = torch.from_numpy(enlarged(batch, self.size)).float() - PIXEL_OFFSET
            last = self._module.trunk(pixels.permute(0, 3, 1, 2))
            answer = self._module.head(last)
            pooled.append(last.mean(dim=(2, 3)))
            logits.append(answer.cam.mean(dim=(1, 2)) + self._module.class_bias)
            if maps:
                drawn.append(answer.cam)
            if bar is not None:
                bar.advance(len(batch))
        return Known(
            torch.cat(pooled).numpy(),
            torch.cat(logits).numpy(),
            torch.cat(drawn).numpy() if maps else None,
        )


def enlarged(images: Iterable[np.ndarray], size: int) -> np.ndarray:
    """Returns square images as a network's input, uint8 (N, S, S, 3)."""
    return np.stack([np.asarray(resize_square(Image.fromarray(i), size)) for i in images])


def _batches(images: Sequence[np.ndarray]) -> Iterator[Sequence[np.ndarray]]:
    for start in range(0, len(images), _AT_ONCE):
        yield images[start : start + _AT_ONCE]
