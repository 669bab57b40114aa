"""What every runtime takes and answers: a batch of pixels in, a Prediction out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from runtimes.contract import OUTPUT_NAMES, Contract
from runtimes.errors import InputError


@dataclass(frozen=True)
class Prediction:
    """The three outputs for a batch of N images and K classes, float32.

    Attributes:
        probabilities: (N, K), softmax of the temperature-scaled logits.
        cam: (N, h, w, K), class activation maps.
        unknown: (N,), higher is less like the training data; the contract says what it is.

    A foreign file without a contract has probabilities only: `cam` is (N, 0, 0, K) and `unknown`
    not a number.
    """

    probabilities: np.ndarray
    cam: np.ndarray
    unknown: np.ndarray


class Session(Protocol):
    """An opened model file.

    Attributes:
        contract: the file's contract; None for a foreign file.
        backend: what really ran, with version, delegate and threads.
    """

    contract: Contract | None
    backend: str

    def predict(self, images: np.ndarray) -> Prediction:
        """Answers for (N, S, S, 3) RGB pixels from 0 to 255, uint8 or float32."""
        ...


def checked_images(images: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """Returns the batch as contiguous float32 after checking it.

    Args:
        images: (N, H, W, 3) RGB pixels from 0 to 255, uint8 or float32.
        size: (H, W) of the network's input in pixels; None takes any.

    Raises:
        InputError: another shape, type or range.
    """
    shape = tuple(images.shape)
    if images.ndim != 4 or shape[3] != 3 or (size is not None and shape[1:3] != size):
        wanted = "(N, H, W, 3)" if size is None else f"(N, {size[0]}, {size[1]}, 3)"
        raise InputError(
            f"the images have the shape {shape}; this model takes {wanted}, channels last. "
            "runtimes.preprocess.preprocess makes such pixels of a photo."
        )
    if not len(images):
        raise InputError("there is no image in the batch; pass at least one.")
    if images.dtype not in (np.uint8, np.float32):
        raise InputError(
            f"the images are {images.dtype}; expected uint8 or float32 pixels, 0..255."
        )
    if images.dtype == np.float32:
        low, high = float(images.min()), float(images.max())
        if not (low >= 0 and high <= 255):  # also true for not-a-number
            raise InputError(
                f"the pixels go from {low:g} to {high:g}; expected 0 to 255. "
                "Normalisation is inside the model: pass the pixels as they are."
            )
    return np.ascontiguousarray(images, dtype=np.float32)


def named_prediction(outputs: Mapping[str, np.ndarray]) -> Prediction:
    """Returns copies of the three outputs by their names, as float32."""
    # A runtime's own array would keep all the memory alive that the runtime computed in.
    probabilities, cam, unknown = (
        np.array(outputs[name], dtype=np.float32) for name in OUTPUT_NAMES
    )
    return Prediction(probabilities, cam, unknown.reshape(-1))


def foreign_prediction(probabilities: np.ndarray) -> Prediction:
    """Returns the answer of a model without a contract, of which only (N, K) numbers are known."""
    count, classes = probabilities.shape
    return Prediction(
        np.asarray(probabilities, dtype=np.float32),
        np.zeros((count, 0, 0, classes), np.float32),
        np.full(count, np.nan, np.float32),
    )


def joined(parts: list[Prediction]) -> Prediction:
    """Joins the answers for consecutive parts of a batch; there is at least one."""
    if len(parts) == 1:
        return parts[0]
    return Prediction(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.cam for part in parts]),
        np.concatenate([part.unknown for part in parts]),
    )


def chunks(images: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yields the batch in parts of at most `size` images."""
    for start in range(0, len(images), size):
        yield images[start : start + size]


def check_names(path: object, what: str, found: list[str], expected: tuple[str, ...]) -> None:
    """Compares the tensor names of a file with the contract's.

    Raises:
        InputError: a name is missing or one too many.
    """
    if sorted(found) != sorted(expected):
        raise InputError(
            f"{path}: its {what} are named {', '.join(found) or '(none)'}; expected "
            f"{', '.join(expected)}. Export the model again with `python -m export run`."
        )


def check_shapes(
    path: object, contract: Contract, image: tuple[int, ...], probabilities: int
) -> None:
    """Compares what a file's network takes and gives with its contract.

    Args:
        path: the file, for the error.
        contract: the contract found in it.
        image: (H, W) of the network's input in pixels.
        probabilities: number of classes of the network.

    Raises:
        InputError: the contract is that of another network.
    """
    side = contract.preprocessing.size
    if image != (side, side) or probabilities != len(contract.labels):
        raise InputError(
            f"{path}: the network takes {image[0]}×{image[1]} pixels and knows {probabilities} "
            f"classes, its contract says {side}×{side} and {len(contract.labels)}. The contract "
            "belongs to another model; export this one again."
        )
