"""Kept logits are given back only for the weights, split, size and side that gave them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from distill.kept_logits import LOGITS_FILE, keep_logits, kept_logits

SPLIT = "a" * 64


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "student.safetensors"
    path.write_bytes(b"some weights")
    keep_logits(path, {"test": np.arange(6, dtype=np.float32).reshape(3, 2)}, SPLIT, 224)
    return path


def test_they_come_back_as_they_were(weights: Path) -> None:
    found = kept_logits(weights, "test", SPLIT, 224)
    assert found is not None
    assert np.array_equal(found, np.arange(6, dtype=np.float32).reshape(3, 2))


@pytest.mark.parametrize(
    ("side", "split", "size"),
    [("train", SPLIT, 224), ("test", "b" * 64, 224), ("test", SPLIT, 96)],
)
def test_what_was_not_computed_is_not_given(
    side: str, split: str, size: int, weights: Path
) -> None:
    assert kept_logits(weights, side, split, size) is None


def test_other_weights_void_them(weights: Path) -> None:
    weights.write_bytes(b"other weights")
    assert kept_logits(weights, "test", SPLIT, 224) is None


def test_a_damaged_file_is_as_none(weights: Path) -> None:
    weights.with_name(LOGITS_FILE).write_bytes(b"{")
    assert kept_logits(weights, "test", SPLIT, 224) is None
