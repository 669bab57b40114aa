"""The synthetic sample is deterministic, says what it is, and has masks that fit its lesions."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distill.index import read_index
from distill.sample import write_sample
from distill.splits import make_split
from runtimes.console import Verb, run_program
from runtimes.diagnoses import ISIC_2019
from runtimes.errors import InputError


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "sample"
    write_sample(folder, per_class=10, size=48, seed=1)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, sample: Path) -> None:
    write_sample(tmp_path / "again", per_class=10, size=48, seed=1)
    assert contents(tmp_path / "again") == contents(sample)


def test_another_seed_gives_other_images(tmp_path: Path, sample: Path) -> None:
    write_sample(tmp_path / "other", per_class=8, size=48, seed=2)
    other = {hash(v) for k, v in contents(tmp_path / "other").items() if k.startswith("images")}
    first = {hash(v) for k, v in contents(sample).items() if k.startswith("images")}
    assert not other & first


def test_it_reads_as_a_synthetic_data_set_of_eight_uneven_classes(sample: Path) -> None:
    index = read_index(sample)
    assert index.synthetic
    assert index.classes == tuple(ISIC_2019)
    counts = dict(zip(index.classes, index.counts(), strict=True))
    assert counts["NV"] == max(counts.values()) > 2 * min(counts.values())
    assert index.warnings == index.duplicates == ()
    assert {record.source for record in index.records} == {"synthetic"}
    assert "SYNTHETIC" in (sample / "SYNTHETIC.txt").read_text()


def test_several_images_show_one_lesion_and_it_can_be_split(sample: Path) -> None:
    index = read_index(sample)
    lesions = {record.lesion for record in index.records}
    assert 1.4 * len(lesions) < len(index.records) < 2.5 * len(lesions)
    make_split(index)


def test_neither_name_nor_order_tells_the_class(sample: Path) -> None:
    labels = [record.label for record in read_index(sample).records]
    runs = sum(a != b for a, b in itertools.pairwise(labels))
    assert runs > len(labels) / 3


def test_masks_cover_the_lesions(sample: Path) -> None:
    with (sample / "labels.csv").open() as stream:
        names = [row["image"] for row in csv.DictReader(stream)]
    contrast = []
    for name in names:
        image = np.asarray(Image.open(sample / "images" / f"{name}.png").convert("RGB"), float)
        mask = np.asarray(Image.open(sample / "masks" / f"{name}.png"))
        assert image.shape == (*mask.shape, 3)
        assert set(np.unique(mask)) == {0, 255}
        assert 0.03 < (mask > 0).mean() < 0.8
        inside, outside = np.median(image[mask > 0], axis=0), np.median(image[mask == 0], axis=0)
        contrast.append(np.abs(inside - outside).max())
    # Some lesions are pale on purpose; most must stand out from the skin where the mask says so.
    assert np.mean(np.array(contrast) > 15) > 0.8


def test_an_earlier_sample_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_sample(folder, per_class=8, size=32)
    before = contents(folder)
    write_sample(folder, per_class=8, size=32, seed=4)
    assert contents(folder) != before
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds something else"):
        write_sample(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


@pytest.mark.parametrize("setting", [{"per_class": 7}, {"size": 31}, {"size": 513}, {"seed": -1}])
def test_a_setting_out_of_range_is_an_error(tmp_path: Path, setting: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(setting))):
        write_sample(tmp_path / "out", **setting)
    assert not (tmp_path / "out").exists()


def test_the_verb_says_what_it_drew_and_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verbs = (Verb("sample", "", "distill.commands.sample"),)
    out = tmp_path / "out"
    assert (
        run_program("d", "", verbs, ["sample", str(out), "--per-class", "8", "--size", "32"]) == 0
    )
    printed = capsys.readouterr().out
    assert "synthetic" in printed
    assert str(out) in printed
