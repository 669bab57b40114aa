"""A released model: what it holds, what its card says, and that it needs no images to be opened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from distill.commands import release as command
from distill.dataset import Dataset, is_released, open_dataset, to_device
from distill.device import choose_device
from distill.release import release
from distill.subgroups import subgroups
from runtimes.console import Verb, run_program
from runtimes.errors import InputError
from runtimes.metadata import read_contract

BUDGET = """
name: tiny
purpose: test
cache: 40
evaluation_size: 40
teacher: {phases: [{epochs: 1, size: 40, batch: 32}], lr: 0.01, weights: random}
head: {}
student: {phases: [{epochs: 1, size: 40, batch: 16}], lr: 0.01, weights: random}
"""


@pytest.fixture(scope="module")
def run(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release")
    (folder / "tiny.yaml").write_text(BUDGET)
    words = [sys.executable, "-m", "distill", "train", "no_kd", "--data", str(sample)]
    words += ["--out", str(folder / "run"), "--budget", str(folder / "tiny.yaml")]
    words += ["--pair", "shufflenet_v2_x1_0:shufflenet_v2_x0_5"]
    words += ["--cache-dir", str(folder / "cache")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture(scope="module")
def released(run: Path) -> Path:
    out = run.parent / "models" / "small"
    dataset = open_dataset(run)
    release(run, out, dataset, to_device(dataset, choose_device("cpu")))
    return out


def test_it_holds_weights_contract_figures_split_and_card(run: Path, released: Path) -> None:
    files = {path.name for path in released.iterdir()}
    assert files == {
        *("student.safetensors", "contract.json", "metrics.json", "split.json"),
        *("data.json", "recipe.yaml", "MODEL_CARD.md"),
    }
    assert read_contract(released).name == "small"
    weights = [folder / "student.safetensors" for folder in (run, released)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert str(run.parent) not in "".join(
        path.read_text() for path in released.iterdir() if path.suffix != ".safetensors"
    )


def test_the_card_tells_the_figures_of_the_test_side(released: Path) -> None:
    about = json.loads((released / "metrics.json").read_text())
    card = (released / "MODEL_CARD.md").read_text()
    for words in ("Not a medical device", "synthetic images", "Known failures", "show no patient"):
        assert words in card, words
    assert "CC BY-NC" not in card
    accuracy = about["metrics"]["accuracy"]
    assert f"{accuracy['value']:.3f} ({accuracy['low']:.3f} to {accuracy['high']:.3f})" in card
    for code, found in about["metrics"]["per_class"].items():
        assert f"| {code} " in card
        assert f"{found['specificity']['value']:.3f}" in card


def test_it_is_measured_where_the_images_are_named(released: Path, sample: Path) -> None:
    assert is_released(released)
    with pytest.raises(InputError, match=r"carries no images.*--data"):
        open_dataset(released)
    assert open_dataset(released, sample).ids("test")


def test_the_fixed_sample_is_a_part_of_the_test_side(released: Path, sample: Path) -> None:
    about = json.loads((released / "metrics.json").read_text())
    assert set(about["fixed_sample"]["images"]) <= set(open_dataset(released, sample).ids("test"))


def test_groups_cover_every_test_image_once(dataset: Dataset) -> None:
    target = dataset.labels("test")
    perfect = np.eye(8)[target]
    rows = subgroups(perfect, dataset)
    for kind in ("age", "sex", "body site", "source"):
        assert sum(row["images"] for row in rows if row["by"] == kind) == len(target)
    for row in rows:
        if row["images"] >= 30:
            assert row["accuracy"]["value"] == 1.0
        else:
            assert "accuracy" not in row


@pytest.mark.parametrize("place", ["run", "models", "run/models"])
def test_nothing_else_is_replaced(run: Path, released: Path, place: str) -> None:
    dataset = open_dataset(run)
    images = to_device(dataset, choose_device("cpu"))
    with pytest.raises(InputError, match=r"holds something else|lie in each other"):
        release(run, run.parent / place, dataset, images)
    assert (run / "log.jsonl").is_file()
    assert (released / "MODEL_CARD.md").is_file()


def test_a_folder_that_is_no_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verb = (Verb("release", "", command.__name__),)
    words = ["release", str(tmp_path), "--out", str(tmp_path / "models" / "x")]
    assert run_program("distill", "", verb, words) == 2
    assert "student.safetensors" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()
