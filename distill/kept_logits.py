"""Logits of a trained classifier on validation and test images, kept so that none asks twice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from distill.checkpoint import load_tensors, save_tensors
from runtimes.errors import InputError
from runtimes.hashes import sha256_of

LOGITS_FILE = "logits.safetensors"


def keep_logits(weights: Path, logits: Mapping[str, np.ndarray], split: str, size: int) -> None:
    """Writes logits.safetensors beside the weights that gave them.

    Args:
        weights: the written student.safetensors or teacher.safetensors.
        logits: side of the split → logits (n, K) float32, in the order of the side's images.
        split: SHA-256 of the split.
        size: edge of the input in pixels.
    """
    header = {"weights_sha256": sha256_of(weights), "split_sha256": split, "size": str(size)}
    tensors = {side: torch.from_numpy(values) for side, values in logits.items()}
    save_tensors(weights.with_name(LOGITS_FILE), tensors, header)


def kept_logits(weights: Path, side: str, split: str, size: int) -> np.ndarray | None:
    """Returns the logits (n, K) that these very weights gave; None where they are not kept.

    Args:
        weights: as in `keep_logits`; other bytes than then, another split or size give None.
        side: of the split.
        split: SHA-256 of the split.
        size: edge of the input in pixels.
    """
    path = weights.with_name(LOGITS_FILE)
    try:
        tensors, header = load_tensors(path)
    except InputError:
        return None
    asked = {"weights_sha256": sha256_of(weights), "split_sha256": split, "size": str(size)}
    return tensors[side].numpy() if header == asked and side in tensors else None
