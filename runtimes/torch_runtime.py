"""A deployable module run by torch itself: the reference for every file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runtimes.contract import OUTPUT_NAMES, Contract
from runtimes.prediction import Prediction, checked_images, chunks, joined, named_prediction

if TYPE_CHECKING:
    from torch import nn

_BATCH = 16  # images at once; the maps of more take much memory


class TorchSession:
    """Runs a module that maps (N, S, S, 3) pixels to (probabilities, cam, unknown).

    The module is put into eval mode and runs where its parameters are; the number of threads is
    torch's own, which is one setting for the whole process.
    """

    def __init__(self, module: nn.Module, contract: Contract) -> None:
        import torch

        self.contract: Contract | None = contract
        self._module = module.eval()
        weight = next(module.parameters(), None)
        self._device = torch.device("cpu") if weight is None else weight.device
        threads = torch.get_num_threads()
        where = str(self._device)
        if where == "cpu":
            where += f", {threads} thread{'s' if threads > 1 else ''}"
        self.backend = f"torch {torch.__version__} {where}"
        side = contract.preprocessing.size
        self._size = (side, side)

    def predict(self, images: np.ndarray) -> Prediction:
        """Answers for (N, S, S, 3) RGB pixels from 0 to 255, uint8 or float32."""
        pixels = checked_images(images, self._size)
        return joined([self._run(part) for part in chunks(pixels, _BATCH)])

    def _run(self, pixels: np.ndarray) -> Prediction:
        import torch

        with torch.inference_mode():
            outputs = self._module(torch.from_numpy(pixels).to(self._device))
        arrays = [output.float().cpu().numpy() for output in outputs]
        return named_prediction(dict(zip(OUTPUT_NAMES, arrays, strict=True)))
