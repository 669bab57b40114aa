"""No lesion and no duplicate stands on two sides, and a written split cannot change unnoticed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distill.index import Index, Record, read_index
from distill.splits import (
    SIDES,
    Split,
    check_split,
    count_classes,
    make_split,
    read_split,
    write_split,
)
from runtimes.errors import InputError


def index_of(*lesions: tuple[int, int]) -> Index:
    """An index of lesions, each (class, number of images), without files."""
    records = []
    for number, (label, images) in enumerate(lesions):
        for view in range(images):
            name = f"L{number:03d}-{view}"
            group = f"L{number:03d}-0"
            records.append(Record(name, label, group, "s", group, None, "", "", f"{name}.png"))
    classes = tuple(f"C{label}" for label in range(1 + max(label for label, _ in lesions)))
    return Index(classes, tuple(records), "nowhere", "test", False, (), (), ())


@pytest.fixture
def index() -> Index:
    return index_of(*[(n % 3, 1 + n % 4) for n in range(120)])


@pytest.fixture(scope="module")
def real(shared: Path) -> Index:
    return read_index(shared / "isic2019")


def sides_of_groups(split: Split, index: Index) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {record.group: set() for record in index.records}
    for side in SIDES:
        images = set(split.side(side))
        for record in index.records:
            if record.image in images:
                found[record.group].add(side)
    return found


def test_no_lesion_or_duplicate_of_the_real_data_stands_on_two_sides(real: Index) -> None:
    split = make_split(real)
    assert all(len(sides) == 1 for sides in sides_of_groups(split, real).values())
    side_of = {image: side for side in SIDES for image in split.side(side)}
    assert len(side_of) == len(real.records) == sum(len(split.side(side)) for side in SIDES)
    for images in real.duplicates:
        assert len({side_of[image] for image in images}) == 1


def test_real_sides_have_the_shares_of_every_class(real: Index) -> None:
    counted = count_classes(make_split(real), real)
    for label, images in enumerate(real.counts()):
        assert counted["test"][label] == pytest.approx(0.15 * images, abs=0.01 * images + 1)
        assert counted["validation"][label] == pytest.approx(0.15 * images, abs=0.01 * images + 1)


def test_the_seed_decides_and_the_order_of_records_does_not(index: Index) -> None:
    split = make_split(index, seed=5)
    assert make_split(index, seed=5) == split
    assert make_split(index, seed=6).test != split.test
    shuffled = make_split(replace(index, records=index.records[::-1]), seed=5)
    assert set(shuffled.test) == set(split.test)


@pytest.mark.parametrize("sizes", [(9, 1, 1), (8, 7, 7)])
def test_a_class_of_three_lesions_has_one_on_each_side_and_most_in_training(
    sizes: tuple[int, int, int],
) -> None:
    index = index_of(*[(0, 1)] * 40, *[(1, size) for size in sizes])
    counted = count_classes(make_split(index), index)
    assert tuple(counted[side][1] for side in SIDES) == sizes


@pytest.mark.parametrize("lesions", [1, 2])
def test_a_class_with_fewer_lesions_than_sides_is_named(lesions: int) -> None:
    index = index_of(*[(0, 1)] * 40, *[(1, 8)] * lesions)
    with pytest.raises(InputError, match=rf"class C1 has {lesions} lesion.*3 or more"):
        make_split(index)


def test_fractions_are_kept_and_checked(index: Index) -> None:
    split = make_split(index, fractions=(0.5, 0.2, 0.3))
    total = len(index.records)
    assert len(split.test) == pytest.approx(0.3 * total, abs=5)
    assert len(split.validation) == pytest.approx(0.2 * total, abs=5)
    for wrong in ((0.5, 0.2, 0.2), (1.0, 0.0, 0.0)):
        with pytest.raises(InputError, match="sum to 1"):
            make_split(index, fractions=wrong)


def test_paper_protocol_has_its_sizes_and_folds(index: Index) -> None:
    split = make_split(index, "paper")
    total = len(index.records)
    assert (split.protocol, split.seed, split.fold) == ("paper", 2021, 2)
    assert len(split.test) == 0.1 * total
    assert len(split.validation) == pytest.approx(0.18 * total, abs=1)
    other = make_split(index, "paper", fold=0)
    assert other.test == split.test
    assert not set(other.validation) & set(split.validation)
    counted = Counter(len(sides) for sides in sides_of_groups(split, index).values())
    assert counted[2] + counted[3] > 0  # it knows no lesions, as its description says


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"protocol": "leison"}, "Known are: lesion, paper"),
        ({"protocol": "paper", "fold": 5}, "0 to 4"),
    ],
)
def test_unknown_settings_are_errors(index: Index, arguments: dict[str, Any], fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        make_split(index, **arguments)


def test_paper_protocol_names_a_class_with_too_few_images() -> None:
    with pytest.raises(InputError, match=r"class C1 .* needs 5"):
        make_split(index_of(*[(0, 1)] * 40, *[(1, 1)] * 4), "paper")


def test_a_split_reads_back_as_it_was_written(tmp_path: Path, index: Index) -> None:
    for protocol in ("lesion", "paper"):
        split = make_split(index, protocol)
        write_split(tmp_path / "split.json", split, index)
        assert read_split(tmp_path / "split.json") == split


def _swap(value: dict[str, Any]) -> None:
    value["train"][0], value["test"][0] = value["test"][0], value["train"][0]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (_swap, "was changed"),
        (lambda value: value.pop("seed"), "lacks the key 'seed'"),
        (lambda value: value.update(extra=1), "unknown key 'extra'"),
        (lambda value: value.update(seed="1"), "wrong type"),
        (lambda value: value["test"].append(value["train"][0]), "more than once"),
        (lambda value: value["test"].append(7), "other than image names"),
        (lambda value: value.update(schema="other"), "is no split"),
        (lambda value: value.update(protocol="own"), "unknown protocol"),
    ],
)
def test_a_changed_split_is_refused(
    tmp_path: Path, index: Index, change: Callable[[dict[str, Any]], None], fault: str
) -> None:
    path = tmp_path / "split.json"
    write_split(path, make_split(index), index)
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
    with pytest.raises(InputError, match=fault):
        read_split(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[1, 2"])
def test_a_file_that_is_no_json_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "split.json").write_bytes(content)
    with pytest.raises(InputError, match=r"split\.json"):
        read_split(tmp_path / "split.json")


def test_a_split_of_another_data_set_is_refused(index: Index) -> None:
    split = make_split(index)
    with pytest.raises(InputError, match="does not fit"):
        check_split(split, replace(index, records=index.records[1:]))
    sizes = Counter(record.group for record in index.records)
    group = {record.image: record.group for record in index.records}
    moved = next(image for image in split.train if sizes[group[image]] > 1)
    train = tuple(image for image in split.train if image != moved)
    divided = replace(split, train=train, test=(*split.test, moved))
    with pytest.raises(InputError, match="stands on the sides"):
        check_split(divided, index)
