"""A data set keeps the images that a budget allows, and a run finds them again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from distill.dataset import Dataset, describe_dataset, open_dataset
from distill.splits import write_split


def test_no_class_has_more_training_images_than_asked_for(dataset: Dataset) -> None:
    few = replace(dataset, per_class=9)
    assert few.class_counts() == [min(9, count) for count in dataset.class_counts()]
    assert max(dataset.class_counts()) > 9
    assert Counter(few.labels("train").tolist()) == dict(enumerate(few.class_counts()))
    assert set(few.ids("train")) < set(dataset.ids("train"))
    assert len(few.rows("train")) == len(few.groups("train")) == sum(few.class_counts())
    assert few.ids("test") == dataset.ids("test")
    assert replace(dataset, per_class=10_000).ids("train") == dataset.ids("train")


def test_the_drawn_images_follow_the_splits_seed(dataset: Dataset) -> None:
    few = replace(dataset, per_class=5)
    again = replace(dataset, per_class=5)
    other = replace(few, split=replace(few.split, seed=few.split.seed + 1))
    assert few.ids("train") == again.ids("train")
    assert few.ids("train") != other.ids("train")


def test_a_run_finds_its_images_again(dataset: Dataset, tmp_path: Path) -> None:
    few = replace(dataset, per_class=5)
    describe_dataset(tmp_path, few)
    write_split(tmp_path / "split.json", few.split, few.index)
    assert np.array_equal(open_dataset(tmp_path).rows("train"), few.rows("train"))
