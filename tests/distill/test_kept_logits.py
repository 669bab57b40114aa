"""Kept logits are given back only for the weights, images and size that gave them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distill.dataset import Dataset
from distill.kept_logits import LOGITS_FILE, keep_logits, kept_logits


@pytest.fixture
def weights(dataset: Dataset, tmp_path: Path) -> Path:
    path = tmp_path / "student.safetensors"
    path.write_bytes(b"some weights")
    keep_logits(path, dataset, 224, {"test": np.arange(6, dtype=np.float32).reshape(3, 2)})
    return path


def test_they_come_back_as_they_were(weights: Path, dataset: Dataset) -> None:
    found = kept_logits(weights, dataset, 224, "test")
    assert found is not None
    assert np.array_equal(found, np.arange(6, dtype=np.float32).reshape(3, 2))


def test_another_side_size_cache_or_order_of_images_has_none(
    weights: Path, dataset: Dataset
) -> None:
    assert kept_logits(weights, dataset, 224, "train") is None
    assert kept_logits(weights, dataset, 96, "test") is None
    finer = replace(dataset, cache=replace(dataset.cache, size=64))
    assert kept_logits(weights, finer, 224, "test") is None
    turned = replace(dataset, split=replace(dataset.split, test=dataset.split.test[::-1]))
    assert kept_logits(weights, turned, 224, "test") is None


def test_other_weights_void_them(weights: Path, dataset: Dataset) -> None:
    weights.write_bytes(b"other weights")
    assert kept_logits(weights, dataset, 224, "test") is None


def test_a_damaged_file_is_as_none(weights: Path, dataset: Dataset) -> None:
    weights.with_name(LOGITS_FILE).write_bytes(b"{")
    assert kept_logits(weights, dataset, 224, "test") is None
