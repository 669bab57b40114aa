"""The screens through their life: answers, rotation, the end of the process, what is refused."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from android_demo.check.answered import drawn_lesions
from android_demo.check.faults import fault_text
from android_demo.check.model import shipped
from android_demo.check.phone import AppError, Phone, Sight
from tests.android_demo.live.walk import check_spoken, words

OpenPhone = Callable[..., Phone]


@pytest.fixture
def phone(app: Callable[[dict[str, str]], list[str]], tmp_path: Path) -> Iterator[OpenPhone]:
    """Opens a process of the app; all of a test have one storage, with pictures in it."""
    open_ones: list[Phone] = []
    shared = tmp_path / "shared"
    shared.mkdir()
    for name, answered in drawn_lesions().items():
        answered.picture.save(shared / f"{name}.png")

    def opened(**settings: Any) -> Phone:
        open_ones.append(Phone(app, tmp_path, **settings))
        return open_ones[-1]

    yield opened
    for each in open_ones:
        each.kill()


def _answered(sight: Sight) -> bool:
    """Whether the result is there, be it an answer or a message."""
    return sight.screen == "ResultActivity" and sight.text("headline") != words("working")


def _card(sight: Sight) -> bool:
    return words("reading_model") != sight.text("card") != ""


def _choose(phone: Phone, name: str) -> Sight:
    phone.start()
    phone.press("choose_picture")
    phone.choose(name)
    return phone.until(_answered)


def _process_ends(before: Phone) -> None:
    before.do("leave")
    before.kill()


@pytest.mark.parametrize("name", ["known", "suspected", "unknown"])
def test_a_picture_of_the_gallery_is_answered_as_python_does(phone: OpenPhone, name: str) -> None:
    answered = drawn_lesions()[name]
    sight = _choose(phone(), f"{name}.png")
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
    sight = _choose(opened, "known.png")
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
    _choose(opened, "suspected.png")
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


def test_the_answer_comes_to_the_screen_that_is_there_by_then(phone: OpenPhone) -> None:
    opened = phone()
    opened.start()
    opened.press("choose_picture")
    opened.choose("known.png")
    for rotation in (1, 0, 1):  # long before the network is opened
        sight = opened.do("turn", rotation=rotation)
    assert sight.text("headline") == words("working")
    assert opened.until(_answered).text("headline").startswith("Most likely: ")


def test_an_answer_outlives_the_process_and_its_picture_is_opened_again(phone: OpenPhone) -> None:
    first = phone()
    before = _choose(first, "suspected.png")
    _process_ends(first)
    second = phone()
    second.do("return")
    after = second.until(_answered)
    assert after.stack == ("AboutActivity", "ResultActivity")
    assert after.views == before.views  # the times too: it was not computed again
    second.do("back")
    assert _card(second.until(_card))


def test_the_phone_may_be_turned_while_the_chooser_is_open(phone: OpenPhone) -> None:
    opened = phone()
    opened.start()
    opened.until(_card)
    opened.press("choose_picture")
    opened.do("turn", rotation=1)
    opened.choose("known.png")
    assert opened.until(_answered).text("headline").startswith("Most likely: ")
    opened.do("turn", rotation=0)
    opened.do("back")
    assert opened.do("look").text("card") != words("reading_model")  # it was never away


def test_without_its_picture_an_answer_is_shown_all_the_same(
    phone: OpenPhone, tmp_path: Path
) -> None:
    first = phone()
    before = _choose(first, "known.png")
    _process_ends(first)
    (tmp_path / "shared" / "known.png").unlink()
    second = phone()
    second.do("return")
    after = second.until(_answered)
    assert after.text("headline") == before.text("headline")
    assert words("picture_not_kept") in after.text("explanation")
    assert len(after.view("lesion").bitmaps) == 1  # the map alone


def test_the_process_may_end_while_the_chooser_is_open(phone: OpenPhone) -> None:
    first = phone()
    first.start()
    first.press("choose_picture")
    _process_ends(first)
    second = phone()
    assert second.do("return").asked == "image/*"
    second.choose("unknown.png")
    assert second.until(_answered).text("headline") == words("unknown")


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
    sight = _choose(opened, "bad.jpg")
    assert sight.text("explanation").startswith(fault_text(fault, []))
    assert any(said.startswith(fault_text(fault, [])) for said in opened.said())
    assert not sight.sees("lesion")
    assert not sight.sees("strength")
    assert opened.do("turn", rotation=1).text("headline") in (
        words("working"),
        words("result_title"),
    )
    assert opened.until(_answered).text("explanation") == sight.text("explanation")


def test_a_model_from_storage_is_tried_taken_and_kept(phone: OpenPhone, tmp_path: Path) -> None:
    shutil.copy(shipped(), tmp_path / "shared" / "another.tflite")
    first = phone()
    first.start()
    own = first.until(_card)
    assert not own.sees("shipped_model")
    first.press("open_model")
    first.choose("another.tflite")
    first.do("turn", rotation=1)  # while LiteRT tries it
    taken = first.until(lambda sight: "another.tflite" in sight.text("card"))
    assert taken.sees("shipped_model")
    check_spoken(taken)
    _process_ends(first)
    second = phone()
    second.do("return")
    assert "another.tflite" in second.until(_card).text("card")
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
    card = opened.until(_card).text("card")
    opened.said()
    opened.press("open_model")
    opened.choose("cut.tflite")
    refused = opened.until(lambda sight: sight.text("problem"))
    message = refused.text("problem")
    assert message.startswith(fault_text("ModelDamaged", ["cut.tflite"]))
    assert refused.text("card") == card
    assert [said for said in opened.said() if said] == [message]
    assert opened.do("turn", rotation=1).text("problem") == message
    _process_ends(opened)
    again = phone()
    again.do("return")
    assert again.until(_card).text("problem") == message
    again.press("open_model")
    again.choose(None)
    assert not again.do("look").sees("problem")


def test_an_answer_of_another_model_is_not_shown_as_this_ones(
    phone: OpenPhone, tmp_path: Path
) -> None:
    first = phone()
    _choose(first, "known.png")
    _process_ends(first)
    (tmp_path / "shared" / "known.png").unlink()
    assets = tmp_path / "assets"  # the app was updated meanwhile
    assets.mkdir()
    (assets / "newer.tflite").write_bytes(shipped().read_bytes() + bytes(16))
    second = phone(assets=assets)
    second.do("return")
    after = second.until(_answered)
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
    sight = opened.until(_card)
    assert "mine.tflite" in sight.text("card")
    assert not sight.sees("problem")


def test_a_phone_without_a_chooser_says_so(phone: OpenPhone) -> None:
    opened = phone(chooser="none")
    opened.start()
    opened.until(_card)
    opened.said()
    assert opened.press("choose_picture").text("problem") == fault_text("ChooserMissing", [])
    assert opened.said() == [fault_text("ChooserMissing", [])]


def test_the_first_screen_says_what_this_is_before_anything_else(phone: OpenPhone) -> None:
    opened = phone()
    sight = opened.start()
    said = [view.text for view in sight.views if view.text]
    assert said[1:3] == [words("research_only"), words("research_text")]
    assert min(sight.view("screen").padding) > 0  # clear of the system's bars
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
    assert _choose(opened, "known.png").hidden_from_recents is hidden
