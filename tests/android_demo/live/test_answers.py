"""Answers through their life: rotation, the end of the process, pictures that are refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from android_demo.check.answered import drawn_lesions
from android_demo.check.faults import fault_text
from android_demo.check.model import shipped
from android_demo.check.phone import AppError, Sight
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


def _ended_without_its_picture(phone: OpenPhone, home: Path) -> Sight:
    """An answer whose process then ends, and whose picture is gone; what was to be seen."""
    first = phone()
    before = choose(first, "known.png")
    end_process(first)
    (home / "shared" / "known.png").unlink()
    return before


def test_without_its_picture_an_answer_is_shown_all_the_same(
    phone: OpenPhone, tmp_path: Path
) -> None:
    before = _ended_without_its_picture(phone, tmp_path)
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
    before = _ended_without_its_picture(phone, tmp_path)
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
