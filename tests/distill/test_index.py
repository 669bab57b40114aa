"""The index keeps lesions and identical images together, and reports what contradicts itself."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path

import pytest
from PIL import Image

from distill.index import Index, open_images, read_index
from runtimes.console import Verb, run_program

_VERBS = (Verb("index", "", "distill.commands.index"),)


def data_set(root: Path, rows: list[tuple[str, str, str, int]]) -> Path:
    """Writes images of one colour each (the last cell), so that equal numbers are equal bytes."""
    (root / "images").mkdir(parents=True)
    lines = ["image,diagnosis,lesion_id"]
    for image, diagnosis, lesion, colour in rows:
        lines.append(f"{image},{diagnosis},{lesion}")
        Image.new("RGB", (4, 4), (colour, 0, 0)).save(root / "images" / f"{image}.png")
    (root / "labels.csv").write_text("\n".join(lines))
    return root


def groups(index: Index) -> set[frozenset[str]]:
    together: defaultdict[str, set[str]] = defaultdict(set)
    for record in index.records:
        together[record.group].add(record.image)
    return {frozenset(images) for images in together.values()}


CHAIN = [
    ("a", "NV", "L1", 1),
    ("b", "NV", "L1", 2),
    ("c", "MEL", "L2", 2),
    ("d", "MEL", "L2", 3),
    ("e", "MEL", "", 4),
    ("f", "NV", "", 5),
]


def test_lesions_that_share_an_identical_image_are_one_group(tmp_path: Path) -> None:
    index = read_index(data_set(tmp_path, CHAIN))
    assert groups(index) == {frozenset("abcd"), frozenset("e"), frozenset("f")}


def test_identical_images_of_different_classes_are_reported(tmp_path: Path) -> None:
    index = read_index(data_set(tmp_path, CHAIN))
    assert index.duplicates == (("b", "c"),)
    assert index.contradictions == (("b", "c"),)
    assert any("b, c" in warning for warning in index.warnings)


def test_images_of_equal_size_and_other_content_are_no_duplicates(tmp_path: Path) -> None:
    index = read_index(data_set(tmp_path, [("a", "NV", "", 1), ("b", "MEL", "", 2)]))
    sizes = {path.stat().st_size for path in (tmp_path / "images").iterdir()}
    assert len(sizes) == 1
    assert index.duplicates == ()


def test_a_lesion_that_is_called_like_an_image_does_not_join_it(tmp_path: Path) -> None:
    rows = [("a", "NV", "b", 1), ("b", "MEL", "", 2), ("c", "NV", "b", 3)]
    assert groups(read_index(data_set(tmp_path, rows))) == {frozenset("ac"), frozenset("b")}


def test_hash_depends_on_the_content_and_not_on_the_place(tmp_path: Path) -> None:
    first = read_index(data_set(tmp_path / "one", CHAIN))
    moved = read_index(data_set(tmp_path / "two", list(reversed(CHAIN))))
    other = read_index(data_set(tmp_path / "three", [("a", "MEL", "L9", 1), *CHAIN[1:]]))
    assert first.sha256 == moved.sha256
    assert first.sha256 != other.sha256


def test_the_bytes_of_a_record_are_those_of_its_file(tmp_path: Path) -> None:
    index = read_index(data_set(tmp_path, CHAIN))
    source = open_images(index)
    for record in index.records:
        content = (tmp_path / "images" / f"{record.image}.png").read_bytes()
        assert source.read(record) == content


def test_real_duplicates_and_lesions_are_grouped(shared: Path) -> None:
    index = read_index(shared / "isic2019")
    listed: defaultdict[str, list[str]] = defaultdict(list)
    with (shared / "isic2019" / "near_duplicates.csv").open() as stream:
        for row in csv.DictReader(stream):
            listed[row["group"]].append(row["id"])
    assert set(index.duplicates) == {tuple(sorted(images)) for images in listed.values()}
    assert len(index.contradictions) == 2
    group = {record.image: record.group for record in index.records}
    assert all(len({group[image] for image in images}) == 1 for images in index.duplicates)
    lesions: defaultdict[str, set[str]] = defaultdict(set)
    for record in index.records:
        if record.lesion:
            lesions[record.lesion].add(record.group)
    assert all(len(found) == 1 for found in lesions.values())
    assert index.counts() == [4522, 12875, 3323, 835, 2624, 239, 253, 628]
    assert {record.source for record in index.records} == {"HAM10000", "BCN_20000", "MSK"}


def test_the_verb_prints_json_and_writes_only_what_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(f"i{n}", ("NV", "MEL")[n % 2], f"L{n}", n) for n in range(12)]
    data = data_set(tmp_path / "data", rows)
    assert run_program("distill", "", _VERBS, ["index", str(data), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["classes"]["NV"]["images"] == 6
    assert found["split"]["train"] + found["split"]["validation"] + found["split"]["test"] == 12
    assert sorted(path.name for path in data.iterdir()) == ["images", "labels.csv"]
    out = tmp_path / "found.json"
    assert run_program("distill", "", _VERBS, ["index", str(data), "--out", str(out)]) == 0
    assert json.loads(out.read_text()) == found


def test_the_verb_shows_a_data_set_that_cannot_be_split_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_set(tmp_path / "data", CHAIN)
    assert run_program("distill", "", _VERBS, ["index", str(data)]) == 2
    printed = capsys.readouterr()
    assert "b = c" in printed.out
    assert "class" in printed.err
