"""A small synthetic data set for the training tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from distill.dataset import Dataset, prepare_dataset
from distill.sample import write_sample

sys.path.insert(0, str(Path(__file__).parent))  # for tiny_nets


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic data set of some 160 small images."""
    folder = tmp_path_factory.mktemp("sample") / "data"
    write_sample(folder, per_class=20, size=40, seed=1)
    return folder


@pytest.fixture(scope="session")
def dataset(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The same, split by lesion and decoded at 32 px."""
    return prepare_dataset(sample, 32, cache_folder=tmp_path_factory.mktemp("cache"))
