"""A run taken apart is put together to the same bytes, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from distill.parcels import LIST_FILE, pack, unpack
from runtimes.errors import InputError


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Files whose borders and those of the parts fall together, apart, and on nothing."""
    folder = tmp_path / "run"
    (folder / "teacher").mkdir(parents=True)
    draw = np.random.default_rng(0)
    for name, size in (("a", 250), ("b", 0), ("c", 150), ("teacher/d", 1001), ("e", 99)):
        (folder / name).write_bytes(draw.bytes(size))
    return folder


@pytest.mark.parametrize("largest", [1, 100, 400, 10_000])
def test_the_same_files_come_back(run: Path, tmp_path: Path, largest: int) -> None:
    parts = pack(run, tmp_path / "parcels", largest)
    sizes = [part.stat().st_size for part in parts if part.name != LIST_FILE]
    assert max(sizes) <= largest
    assert sum(sizes) == 1500
    unpack(tmp_path / "parcels", tmp_path / "back")
    for path in run.rglob("*"):
        if path.is_file():
            assert (tmp_path / "back" / path.relative_to(run)).read_bytes() == path.read_bytes()


def test_a_changed_or_missing_part_is_named_and_nothing_is_left(run: Path, tmp_path: Path) -> None:
    pack(run, tmp_path / "parcels", 400)
    part = tmp_path / "parcels" / "part-002"
    content = bytearray(part.read_bytes())
    content[5] ^= 1
    part.write_bytes(content)
    with pytest.raises(InputError, match=r"part-002 is not what"):
        unpack(tmp_path / "parcels", tmp_path / "back")
    part.unlink()
    with pytest.raises(InputError, match=r"part-002 is missing"):
        unpack(tmp_path / "parcels", tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize(
    "name",
    ["../out", "/tmp/out", "a/../../out", "C:out", "a\\..\\out", "", "a\0b", "\ud800", "a\nb"],
)
def test_no_path_leads_out_of_the_folder(run: Path, tmp_path: Path, name: str) -> None:
    pack(run, tmp_path / "parcels")
    listed = tmp_path / "parcels" / LIST_FILE
    about = json.loads(listed.read_text())
    about["items"][0]["path"] = name
    listed.write_text(json.dumps(about))
    with pytest.raises(InputError, match="leads out"):
        unpack(tmp_path / "parcels", tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize(
    ("name", "message"), [("b", "stands twice"), ("b/deep", "a file and a folder")]
)
def test_no_file_stands_in_the_place_of_another(
    name: str, message: str, run: Path, tmp_path: Path
) -> None:
    pack(run, tmp_path / "parcels")
    listed = tmp_path / "parcels" / LIST_FILE
    about = json.loads(listed.read_text())
    about["items"][0]["path"] = name
    listed.write_text(json.dumps(about))
    with pytest.raises(InputError, match=message):
        unpack(tmp_path / "parcels", tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "[]", '{"items": 3, "parts": []}'])
def test_a_damaged_list_is_named(text: str, run: Path, tmp_path: Path) -> None:
    pack(run, tmp_path / "parcels")
    (tmp_path / "parcels" / LIST_FILE).write_text(text)
    with pytest.raises(InputError, match=LIST_FILE):
        unpack(tmp_path / "parcels", tmp_path / "back")


def test_sizes_that_do_not_add_up_are_refused(run: Path, tmp_path: Path) -> None:
    pack(run, tmp_path / "parcels")
    listed = tmp_path / "parcels" / LIST_FILE
    about = json.loads(listed.read_text())
    for change, message in ((-1, "hold more"), (1, "end before")):
        other = json.loads(json.dumps(about))
        other["items"][-1]["bytes"] += change
        listed.write_text(json.dumps(other))
        with pytest.raises(InputError, match=message):
            unpack(tmp_path / "parcels", tmp_path / "back")


@pytest.mark.parametrize("name", ["a:b.json", "a\\b", "a\nb"])
def test_a_name_that_would_not_come_back_is_not_packed(
    name: str, run: Path, tmp_path: Path
) -> None:
    (run / name).write_text("x")
    with pytest.raises(InputError, match="letters that not every system takes"):
        pack(run, tmp_path / "parcels")
    assert not (tmp_path / "parcels").exists()


def test_nothing_is_overwritten(run: Path, tmp_path: Path) -> None:
    pack(run, tmp_path / "parcels")
    with pytest.raises(InputError, match="exists"):
        unpack(tmp_path / "parcels", run)
    with pytest.raises(InputError, match="lies in"):
        unpack(tmp_path / "parcels", tmp_path / "parcels" / "back")
    for out in (run / "parcels", run.parent, run):
        with pytest.raises(InputError, match="lie in each other"):
            pack(run, out)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(InputError, match="holds something else"):
        pack(run, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"
    with pytest.raises(InputError, match="no folder"):
        pack(run / "a", tmp_path / "x")
