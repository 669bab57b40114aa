"""Logits of a student on validation and test images, kept so that nobody predicts them twice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from distill.checkpoint import load_tensors, save_tensors
from distill.dataset import Dataset
from runtimes.errors import InputError
from runtimes.hashes import sha256_of

LOGITS_FILE = "logits.safetensors"


def keep_logits(
    weights: Path, dataset: Dataset, size: int, logits: Mapping[str, np.ndarray]
) -> None:
    """Writes logits.safetensors beside the weights that gave them.

    Args:
        weights: the written student.safetensors.
        dataset: whose images were seen.
        size: edge of the input in pixels.
        logits: side of the split → logits (n, K) float32, in the order of the side's images.
    """
    tensors = {side: torch.from_numpy(values) for side, values in logits.items()}
    header = {side: _seen(weights, dataset, size, side) for side in logits}
    save_tensors(weights.with_name(LOGITS_FILE), tensors, header)


def kept_logits(weights: Path, dataset: Dataset, size: int, side: str) -> np.ndarray | None:
    """Returns the logits (n, K) that these very weights gave for these very images.

    None where they are not kept: other weights, images, cache or input size, or a damaged file.
    """
    try:
        tensors, header = load_tensors(weights.with_name(LOGITS_FILE))
    except InputError:
        return None
    if side not in tensors or header.get(side) != _seen(weights, dataset, size, side):
        return None
    return tensors[side].numpy()


def _seen(weights: Path, dataset: Dataset, size: int, side: str) -> str:
    """Hashes what logits depend on: weights, images in order, resolution of the cache, size."""
    digest = hashlib.sha256(f"{sha256_of(weights)} {size} {dataset.cache.size}".encode())
    digest.update(dataset.index.sha256.encode())
    digest.update("\n".join(dataset.ids(side)).encode())
    return digest.hexdigest()
