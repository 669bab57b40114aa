"""An .mlpackage run off macOS: its MIL program is carried out in torch."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from runtimes.contract import INPUT_NAME, OUTPUT_NAMES, Contract
from runtimes.errors import InputError
from runtimes.mil_program import MilProgram, load_program
from runtimes.prediction import (
    Prediction,
    check_names,
    check_shapes,
    checked_images,
    foreign_prediction,
    joined,
    named_prediction,
)
from runtimes.probe import refusals


class MilSession:
    """Runs the program of an .mlpackage with batch 1, one image in each thread.

    Its answers stand for Core ML's; its speed says nothing about a phone's.
    """

    def __init__(self, path: Path, contract: Contract | None, threads: int) -> None:
        """Opens the package.

        Raises:
            InputError: damaged, with an unknown operation, or not the network of its contract.
            MissingDependencyError: coremltools is not installed.
        """
        self.contract = contract
        self._path = path
        self._program = load_program(path)
        _, self._size = image_layout(path, self._program)
        if contract is not None:
            names = list(self._program.output_shapes)
            check_names(path, "inputs", [self._program.input_name], (INPUT_NAME,))
            check_names(path, "outputs", names, OUTPUT_NAMES)
            classes = self._program.output_shapes["probabilities"][-1]
            check_shapes(path, contract, self._size, classes)
        self._threads = threads
        self.backend = (
            f"MIL evaluator on torch {torch.__version__} cpu "
            f"{threads} thread{'s' if threads > 1 else ''}"
        )

    def predict(self, images: np.ndarray) -> Prediction:
        """Answers for (N, S, S, 3) RGB pixels from 0 to 255, uint8 or float32."""
        pixels = checked_images(images, self._size)
        single = [pixels[i : i + 1] for i in range(len(pixels))]
        with _torch_threads(1):
            if self._threads == 1:
                return joined([self._run(image) for image in single])
            with ThreadPoolExecutor(self._threads, initializer=_use_one_torch_thread) as pool:
                return joined(list(pool.map(self._run, single)))

    def _run(self, pixels: np.ndarray) -> Prediction:
        image = image_tensor(self._path, self._program, pixels)
        # a program that passed the loader may still use an operation in a way unknown here
        with torch.inference_mode(), refusals(self._path, "the MIL evaluator"):
            outputs = self._program.run(image)
        arrays = {name: value.float().numpy() for name, value in outputs.items()}
        if self.contract is not None:
            return named_prediction(arrays)
        return foreign_prediction(next(iter(arrays.values())).reshape(1, -1))


def image_tensor(path: Path, program: MilProgram, pixels: np.ndarray) -> torch.Tensor:
    """Returns (1, S, S, 3) RGB pixels as the input that a program takes.

    Args:
        path: of the package, for the error.
        program: of the package.
        pixels: float32, 0 to 255.

    Raises:
        InputError: the program takes no image.
    """
    image = torch.from_numpy(pixels)
    if program.blue_first:
        image = image.flip(3)
    channels_first, _ = image_layout(path, program)
    return image.permute(0, 3, 1, 2) if channels_first else image


def image_layout(path: Path, program: MilProgram) -> tuple[bool, tuple[int, int]]:
    """Returns whether a program's image has its channels first, and its (H, W) in pixels.

    Raises:
        InputError: the program takes no image.
    """
    shape = program.input_shape
    if len(shape) == 4 and shape[0] == 1 and shape[1] == 3:
        return True, (shape[2], shape[3])
    if len(shape) == 4 and shape[0] == 1 and shape[3] == 3:
        return False, (shape[1], shape[2])
    raise InputError(
        f"{path}: its input has the shape {list(shape)}; expected one RGB image, [1, 3, H, W] or "
        "[1, H, W, 3]. This is not an image classifier that can be run here."
    )


def _use_one_torch_thread() -> None:
    torch.set_num_threads(1)


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()  # one setting for the process, so it is put back
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
