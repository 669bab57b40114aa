"""predict writes a row for each image that can be read, and exit code 2 where one cannot."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from runtimes.__main__ import VERBS
from runtimes.commands.predict import columns
from runtimes.console import run_program
from runtimes.contract import Calibration, Label
from runtimes.metadata import embed_contract
from runtimes.preprocess import preprocess
from runtimes.session import open_model

from .conftest import Tiny, encode, photo


def run(*arguments: object) -> int:
    return run_program("runtimes", "", VERBS, [str(argument) for argument in arguments])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed, kind in enumerate(["PNG", "JPEG", "WEBP", "BMP"]):
        suffix = {"JPEG": "jpg"}.get(kind, kind.lower())
        (folder / f"{seed} ä.{suffix}").write_bytes(encode(photo(seed), kind))
    return folder


def test_the_rows_hold_the_models_answers(tiny: Tiny, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.csv"
    assert run("predict", tiny.tflite, photos, "--out", out) == 0
    found = rows(out)
    assert list(found[0]) == [
        "image",
        *tiny.contract.codes,
        "diagnosis",
        "unknown",
        "is_unknown",
        "decision",
        "milliseconds",
    ]
    pixels = preprocess(photo(0), tiny.contract.preprocessing)
    answer = open_model(tiny.tflite).predict(pixels[None])
    assert found[0]["image"] == f"{photos.as_posix()}/0 ä.png"
    shares = [float(found[0][code]) for code in tiny.contract.codes]
    assert np.allclose(shares, answer.probabilities[0], atol=1e-6)
    assert float(found[0]["unknown"]) == pytest.approx(float(answer.unknown[0]), abs=1e-5)
    assert found[0]["diagnosis"] == tiny.contract.codes[int(np.argmax(shares))]
    assert all(float(row["milliseconds"]) > 0 for row in found)


def test_bad_images_are_named_and_the_others_written(
    tiny: Tiny, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "broken.jpg").write_bytes(encode(photo(), "JPEG")[:900])
    (photos / "empty.png").write_bytes(b"")
    out = tmp_path / "answers.csv"
    assert run("predict", tiny.onnx, photos, "--out", out) == 2
    errors = capsys.readouterr().err
    assert "broken.jpg" in errors
    assert "empty.png" in errors
    assert "2 of 6 images" in errors
    assert len(rows(out)) == 4


def test_nothing_is_replaced_when_no_image_can_be_read(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"not an image")
    out = tmp_path / "answers.csv"
    out.write_text("from yesterday")
    assert run("predict", tiny.tflite, tmp_path / "bad.jpg", "--out", out) == 2
    assert out.read_text() == "from yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.csv", "bad.jpg"]


def test_above_the_threshold_the_diagnosis_is_unknown(
    tiny: Tiny, photos: Path, tmp_path: Path, copy_of: Callable[[Path], Path]
) -> None:
    model = copy_of(tiny.tflite)
    strict = Calibration(1.0, -1e6, 0.0, {})
    embed_contract(model, dataclasses.replace(tiny.contract, calibration=strict))
    out = tmp_path / "answers.csv"
    assert run("predict", model, photos, "--out", out) == 0
    assert {(row["diagnosis"], row["is_unknown"]) for row in rows(out)} == {("unknown", "true")}


def test_a_class_called_unknown_has_a_column_of_its_own(tiny: Tiny) -> None:
    labels = (Label("unknown", "not known"), Label("image", "an odd one"), Label("NV", "nevus"))
    calibration = Calibration(1.0, 0.0, 0.95, {})
    contract = dataclasses.replace(tiny.contract, labels=labels, calibration=calibration)
    headings = columns(contract)
    assert len(set(headings)) == len(headings)
    assert headings[1:4] == ["p(unknown)", "p(image)", "NV"]


def test_a_model_that_is_none_is_exit_code_2(tmp_path: Path, photos: Path) -> None:
    assert run("predict", tmp_path / "gone.onnx", photos) == 2
