"""The screens through their life: answers, rotation, the end of the process, what is refused."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from android_demo.check.answered import drawn_lesions
from android_demo.check.faults import fault_text
from android_demo.check.kotlin import DEMO
from android_demo.check.model import shipped
from android_demo.check.phone import AppError
from runtimes.preprocess import load_image, preprocess
from runtimes.session import open_model
from tests.android_demo.live.seen import (
    OpenPhone,
    check_spoken,
    choose,
    end_process,
    has_card,
    is_answered,
    words,
)


@pytest.mark.parametrize("name", ["known", "suspected", "unknown"])
def test_a_picture_of_the_gallery_is_answered_as_python_does(phone: OpenPhone, name: str) -> None:
    answered = drawn_lesions()[name]
    sight = choose(phone(), f"{name}.png")
    shares = answered.answer.probabilities[0]
    first = answered.alert.code if answered.alert else answered.contract.codes[int(shares.argmax())]
    label = next(label.name for label in answered.contract.labels if label.code == first)
    share = f"{100 * shares[answered.contract.codes.index(first)]:.1f}\u00a0%"
    heads = {
        "known": words("most_likely", label, share),
        "suspected": words("suspected", label, share),
        "unknown": words("unknown"),
    }
    assert sight.text("headline") == heads[name]
    assert re.search(r"Preprocessing [\d.]+ ms, inference [\d.]+ ms", sight.text("times"))
    assert words("ran_on", "xnnpack", 4) in sight.text("times")
    assert len(sight.view("lesion").bitmaps) == (
        1 if name == "unknown" else 2
    )  # the overlay lies on the picture
    assert len([view for view in sight.views if view.id == "name"]) == (
        0 if name == "unknown" else 8
    )
    check_spoken(sight)


def test_a_screen_reader_is_told_the_answer_once_and_of_each_map_that_is_asked_for(
    phone: OpenPhone,
) -> None:
    opened = phone()
    sight = choose(opened, "known.png")
    assert opened.said().count(sight.text("headline")) == 1
    second = sorted(
        view.spoken for view in sight.views if view.button and view.kind == "LinearLayout"
    )[0]
    opened.do("press", told=second)
    sight = opened.do("look")
    name = second.split(":")[0]
    assert sight.text("looked_here") == words("looked_here", name)
    assert [view.spoken for view in sight.views if view.selected] == [second]
    assert opened.said() == [words("looked_here", name)]
    assert name in sight.view("lesion").spoken


@pytest.mark.parametrize("sdk", [26, 33])
def test_an_answer_outlives_rotation(phone: OpenPhone, sdk: int) -> None:
    opened = phone(sdk=sdk)
    choose(opened, "suspected.png")
    opened.do("slide", id="strength", to=20)
    chosen = [view for view in opened.do("look").views if view.button][-1].spoken
    before = opened.do("press", told=chosen)
    opened.said()
    after = opened.do("turn", rotation=1)
    assert after.views == before.views  # also the times: nothing was computed again
    assert after.view("lesion").bitmaps[1][2] == 20 * 255 // 100
    assert opened.said() == []  # a turn is no news
    assert opened.do("turn", rotation=3).views == before.views
    opened.do("back")
    assert opened.do("look").screen == "AboutActivity"


def test_an_answer_outlives_the_process_and_its_picture_is_opened_again(phone: OpenPhone) -> None:
    first = phone()
    before = choose(first, "suspected.png")
    end_process(first)
    second = phone()
    second.do("return")
    after = second.until(is_answered)
    assert after.stack == ("AboutActivity", "ResultActivity")
    assert after.views == before.views  # the times too: it was not computed again
    second.do("back")
    assert has_card(second.until(has_card))


def test_the_phone_may_be_turned_while_the_chooser_is_open(phone: OpenPhone) -> None:
    opened = phone()
    opened.start()
    opened.until(has_card)
    opened.press("choose_picture")
    opened.do("turn", rotation=1)
    opened.choose("known.png")
    assert opened.until(is_answered).text("headline").startswith("Most likely: ")
    opened.do("turn", rotation=0)
    opened.do("back")
    assert has_card(opened.do("look"))  # it was never away


def test_without_its_picture_an_answer_is_shown_all_the_same(
    phone: OpenPhone, tmp_path: Path
) -> None:
    first = phone()
    before = choose(first, "known.png")
    end_process(first)
    (tmp_path / "shared" / "known.png").unlink()
    second = phone()
    second.do("return")
    after = second.until(is_answered)
    assert after.text("headline") == before.text("headline")
    assert words("picture_not_kept") in after.text("explanation")
    assert len(after.view("lesion").bitmaps) == 1  # the map alone


def test_the_process_may_end_while_the_chooser_is_open(phone: OpenPhone) -> None:
    first = phone()
    first.start()
    first.press("choose_picture")
    end_process(first)
    second = phone()
    assert second.do("return").asked == "image/*"
    second.choose("unknown.png")
    assert second.until(is_answered).text("headline") == words("unknown")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "PictureEmpty"),
        (b"no picture at all", "PictureOfUnknownKind"),
        (None, "PictureGone"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(64), "PictureHeic"),
        ((1 << 20) * b"\xff\xd8\xff\xe0", "PictureDamaged"),
    ],
)
def test_what_is_no_picture_gets_a_message_that_is_spoken(
    phone: OpenPhone, tmp_path: Path, content: bytes | None, fault: str
) -> None:
    if content is not None:
        (tmp_path / "shared" / "bad.jpg").write_bytes(content)
    opened = phone()
    sight = choose(opened, "bad.jpg")
    assert sight.text("explanation").startswith(fault_text(fault, []))
    assert any(said.startswith(fault_text(fault, [])) for said in opened.said())
    assert not sight.sees("lesion")
    assert not sight.sees("strength")
    assert opened.do("turn", rotation=1).views == sight.views
    assert opened.said() == []  # a turn is no news


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


def test_an_answer_of_another_model_is_not_shown_as_this_ones(
    phone: OpenPhone, tmp_path: Path
) -> None:
    first = phone()
    choose(first, "known.png")
    end_process(first)
    (tmp_path / "shared" / "known.png").unlink()
    assets = tmp_path / "assets"  # the app was updated meanwhile
    assets.mkdir()
    (assets / "newer.tflite").write_bytes(shipped().read_bytes() + bytes(16))
    second = phone(assets=assets)
    second.do("return")
    after = second.until(is_answered)
    assert after.text("explanation") == fault_text("AnswerOfAnotherModel", [])


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


@pytest.mark.parametrize(("sdk", "hidden"), [(32, False), (33, True)])
def test_recent_apps_show_no_picture_from_android_13_on(
    phone: OpenPhone, sdk: int, hidden: bool
) -> None:
    opened = phone(sdk=sdk)
    opened.start()
    opened.press("take_picture")
    assert opened.do("look").hidden_from_recents is hidden
    opened.do("permit", granted=False)
    opened.do("back")
    assert opened.do("look").hidden_from_recents is False
    assert choose(opened, "known.png").hidden_from_recents is hidden


@pytest.mark.parametrize("step", ["turn", "leave"])
def test_an_answer_that_came_back_is_not_lost_before_it_is_shown(
    phone: OpenPhone, tmp_path: Path, step: str
) -> None:
    first = phone()
    before = choose(first, "known.png")
    end_process(first)
    (tmp_path / "shared" / "known.png").unlink()
    second = phone()
    second.do("return")
    if step == "leave":  # at once, and the process ends again
        end_process(second)
        second = phone()
        second.do("return")
    second.do("turn", rotation=1)
    assert second.until(is_answered).text("headline") == before.text("headline")


def test_the_answer_comes_to_the_screen_that_is_there_by_then_and_is_sought_once(
    phone: OpenPhone, tmp_path: Path
) -> None:
    drawn_lesions()["known"].picture.resize((4000, 3000)).save(tmp_path / "shared" / "large.png")
    opened = phone()
    opened.start()
    opened.press("choose_picture")
    opened.choose("large.png")
    for rotation in (1, 0, 1, 0, 1, 0):
        sight = opened.do("turn", rotation=rotation)
    assert sight.text("headline") == words("working")
    sight = opened.until(is_answered)
    assert sight.text("headline").startswith("Most likely: ")
    assert sight.opened == 1
    opened.press_back()
    opened.press("choose_picture")
    opened.choose("unknown.png")
    assert opened.until(is_answered, 20).text("headline") == words("unknown")


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


@pytest.mark.parametrize(
    ("name", "mode"), [("grey.png", "L"), ("palette.png", "P"), ("rgb.bmp", "RGB")]
)
def test_pictures_of_other_kinds_are_answered_as_python_does(
    phone: OpenPhone, tmp_path: Path, name: str, mode: str
) -> None:
    file = tmp_path / "shared" / name
    drawn_lesions()["known"].picture.convert(mode).save(file)
    session = open_model(shipped(), 1)
    assert session.contract is not None
    picture = load_image(file)
    shares = session.predict(preprocess(picture, session.contract.preprocessing)[None])
    best = shares.probabilities[0].max()
    sight = choose(phone(), name)
    seen = [view.text for view in sight.views if view.id == "percent"]
    assert seen[0] == f"{100 * best:.1f}\u00a0%"


def test_a_picture_above_32_megapixels_is_read_at_a_part_of_its_size(
    phone: OpenPhone, tmp_path: Path
) -> None:
    file = tmp_path / "shared" / "huge.png"
    drawn_lesions()["known"].picture.resize((8000, 5000)).save(file)
    assert choose(phone(), "huge.png").text("headline").startswith("Most likely: ")


def test_a_file_that_the_other_app_does_not_hand_out_gets_a_message(phone: OpenPhone) -> None:
    opened = phone()
    assert choose(opened, "denied.png").text("explanation") == words("fault_picture_gone")
    opened.press_back()
    opened.press("open_model")
    opened.choose("denied.tflite")
    refused = opened.until(lambda sight: sight.text("problem"))
    assert refused.text("problem") == words("fault_file_gone")


def test_what_no_other_app_may_open_is_refused(phone: OpenPhone) -> None:
    with pytest.raises(AppError, match="no other app may open"):
        phone().start("ResultActivity")


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
