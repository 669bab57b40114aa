"""The first screen and its models: opened from storage, tried, refused, kept."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from android_demo.check.faults import fault_text
from android_demo.check.kotlin import DEMO
from android_demo.check.model import shipped
from android_demo.check.phone import AppError
from runtimes.preprocess import load_image, preprocess
from runtimes.session import open_model
from tests.android_demo.live.seen import (
    OpenPhone,
    check_spoken,
    end_process,
    has_card,
    is_answered,
    words,
)


def test_a_model_from_storage_is_tried_taken_and_kept(phone: OpenPhone, tmp_path: Path) -> None:
    shutil.copy(shipped(), tmp_path / "shared" / "another.tflite")
    first = phone()
    first.start()
    own = first.until(has_card)
    assert not own.sees("shipped_model")
    first.press("open_model")
    first.choose("another.tflite")
    first.do("turn", rotation=1)  # while LiteRT tries it
    taken = first.until(lambda sight: "another.tflite" in sight.text("card"))
    assert taken.sees("shipped_model")
    check_spoken(taken)
    end_process(first)
    second = phone()
    second.do("return")
    assert "another.tflite" in second.until(has_card).text("card")
    second.press("shipped_model")
    back = second.until(lambda sight: sight.text("card") == own.text("card"))
    assert not back.sees("shipped_model")
    assert list((tmp_path / "files").iterdir()) == []  # nothing of it is left


def test_a_model_that_is_refused_leaves_the_one_before_and_says_why_till_something_is_done(
    phone: OpenPhone, tmp_path: Path
) -> None:
    (tmp_path / "shared" / "cut.tflite").write_bytes(shipped().read_bytes()[:100_000])
    opened = phone()
    opened.start()
    card = opened.until(has_card).text("card")
    opened.said()
    opened.press("open_model")
    opened.choose("cut.tflite")
    refused = opened.until(lambda sight: sight.text("problem"))
    message = refused.text("problem")
    assert message.startswith(fault_text("ModelDamaged", ["cut.tflite"]))
    assert refused.text("card") == card
    assert [said for said in opened.said() if said] == [message]
    assert opened.do("turn", rotation=1).text("problem") == message
    end_process(opened)
    again = phone()
    again.do("return")
    assert again.until(has_card).text("problem") == message
    again.press("open_model")
    again.choose(None)
    assert not again.do("look").sees("problem")


@pytest.mark.parametrize("models", [0, 2])
def test_an_app_without_one_model_says_so_and_takes_one_from_storage(
    phone: OpenPhone, tmp_path: Path, models: int
) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    for number in range(models):
        shutil.copy(shipped(), assets / f"{number}.tflite")
    shutil.copy(shipped(), tmp_path / "shared" / "mine.tflite")
    opened = phone(assets=assets)
    opened.start()
    message = opened.until(lambda sight: sight.text("problem")).text("problem")
    wanted = (
        fault_text("ModelNotAlone", ["0.tflite, 1.tflite"])
        if models
        else fault_text("ModelMissing", [])
    )
    assert message == wanted
    opened.press("open_model")
    opened.choose("mine.tflite")
    sight = opened.until(has_card)
    assert "mine.tflite" in sight.text("card")
    assert not sight.sees("problem")


def test_a_phone_without_a_chooser_says_so(phone: OpenPhone) -> None:
    opened = phone(chooser="none")
    opened.start()
    opened.until(has_card)
    opened.said()
    assert opened.press("choose_picture").text("problem") == fault_text("ChooserMissing", [])
    assert opened.said() == [fault_text("ChooserMissing", [])]


@pytest.mark.parametrize(("sdk", "bars"), [(34, 0), (35, 63)])
def test_the_first_screen_says_what_this_is_before_anything_else(
    phone: OpenPhone, sdk: int, bars: int
) -> None:
    opened = phone(sdk=sdk)
    sight = opened.start()
    said = [view.text for view in sight.views if view.text]
    assert said[1:3] == [words("research_only"), words("research_text")]
    assert sight.view("screen").padding == (bars, bars)  # from Android 15 on the bars lie over it
    check_spoken(sight)
    with pytest.raises(AppError, match="0 views to press"):
        opened.do("press", id="shipped_model")


@pytest.mark.parametrize("cut", [1, 8, 12, 40, 100, 2000])
def test_a_model_without_its_last_bytes_is_refused(
    phone: OpenPhone, tmp_path: Path, cut: int
) -> None:
    # the numbers of its operators lie there: LiteRT reads on, finds others, and answers
    (tmp_path / "shared" / "cut.tflite").write_bytes(shipped().read_bytes()[:-cut])
    opened = phone()
    opened.start()
    opened.press("open_model")
    opened.choose("cut.tflite")
    message = opened.until(lambda sight: sight.text("problem")).text("problem")
    assert message == fault_text("ModelDamaged", ["cut.tflite"])
    assert not (tmp_path / "files" / "model.tflite").exists()


def test_what_becomes_of_a_model_is_said(phone: OpenPhone, tmp_path: Path) -> None:
    shutil.copy(shipped(), tmp_path / "shared" / "another.tflite")
    opened = phone()
    opened.start()
    opened.until(has_card)
    opened.said()
    opened.press("open_model")
    opened.choose("another.tflite")
    in_use = words("model_in_use", "another.tflite")
    opened.until(lambda sight: sight.text("progress") == in_use)
    assert opened.said() == [in_use]  # it begins before the screen is seen again
    opened.press("shipped_model")
    back = words("model_in_use", shipped().name)
    opened.until(lambda sight: sight.text("progress") == back)
    assert opened.said() == [words("trying_model"), back]


def test_what_was_half_taken_when_the_process_ended_is_tidied_up(
    phone: OpenPhone, tmp_path: Path
) -> None:
    half = tmp_path / "files" / "model.tflite.half"
    half.parent.mkdir()
    half.write_bytes(b"half of a model")
    opened = phone()
    opened.start()
    opened.until(has_card)
    assert not half.exists()


@pytest.mark.slow  # exports
def test_every_tflite_of_an_export_is_opened_in_the_running_app(
    phone: OpenPhone, tmp_path: Path
) -> None:
    command = [
        sys.executable,
        "-m",
        "export",
        "run",
        "models/mobilenet_v2-ssd_kd",
        "--only",
        "tflite",
    ]
    command += [
        "--out",
        str(tmp_path / "out"),
        "--parity-images",
        "64",
        "--calibration-images",
        "64",
    ]
    subprocess.run(command, cwd=DEMO.parent, check=True, capture_output=True)
    files = sorted((tmp_path / "out").glob("*.tflite"))
    assert len(files) == 3
    opened = phone()
    opened.start()
    for file in files:
        shutil.copy(file, tmp_path / "shared" / file.name)
        opened.press("open_model")
        opened.choose(file.name)
        in_use = words("model_in_use", file.name)
        opened.until(lambda sight, told=in_use: sight.text("progress") == told)  # type: ignore[misc]
        opened.press("choose_picture")
        opened.choose("known.png")
        seen = opened.until(is_answered)
        session = open_model(file, 1)
        assert session.contract is not None
        pixels = preprocess(
            load_image(tmp_path / "shared" / "known.png"), session.contract.preprocessing
        )
        best = session.predict(pixels[None]).probabilities[0].max()
        told = [view.text for view in seen.views if view.id == "percent"]
        assert told[0] == f"{100 * best:.1f}\u00a0%", file.name
        opened.press_back()
