"""An .mlpackage run by Core ML itself; macOS only."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from runtimes.contract import INPUT_NAME, OUTPUT_NAMES, Contract
from runtimes.coremltools_import import import_coremltools
from runtimes.prediction import (
    Prediction,
    check_names,
    check_shapes,
    checked_images,
    joined,
    named_prediction,
)
from runtimes.probe import refusals


class CoreMLSession:
    """Runs an .mlpackage with Core ML on every unit it may use, batch 1, image after image."""

    def __init__(self, path: Path, contract: Contract) -> None:
        """Compiles and opens the package.

        Raises:
            InputError: Core ML refuses it, or it is not the network of its contract.
            MissingDependencyError: coremltools is not installed.
        """
        coremltools = import_coremltools()
        with refusals(path, "Core ML"):
            self._model = coremltools.models.MLModel(str(path))
            description = self._model.get_spec().description
        check_names(path, "inputs", [item.name for item in description.input], (INPUT_NAME,))
        check_names(path, "outputs", [item.name for item in description.output], OUTPUT_NAMES)
        image = description.input[0].type.imageType
        outputs = {item.name: item.type.multiArrayType.shape for item in description.output}
        size = (int(image.height), int(image.width))
        check_shapes(path, contract, size, int(outputs["probabilities"][-1]))
        self.contract: Contract | None = contract
        self._path, self._size = path, size
        # Which unit ran is decided by Core ML for each call and not told here.
        self.backend = f"Core ML (coremltools {coremltools.__version__}, all compute units)"

    def predict(self, images: np.ndarray) -> Prediction:
        """Answers for (N, S, S, 3) RGB pixels from 0 to 255; an image input takes whole numbers."""
        pixels = checked_images(images, self._size)
        return joined([self._run(image) for image in np.rint(pixels).astype(np.uint8)])

    def _run(self, image: np.ndarray) -> Prediction:
        from PIL import Image

        with refusals(self._path, "Core ML"):
            return named_prediction(self._model.predict({INPUT_NAME: Image.fromarray(image)}))
