"""The camera's screen: leave to use it, hints, pictures, and what is closed when."""

from __future__ import annotations

from pathlib import Path

import pytest

from android_demo.check.answered import drawn_lesions
from android_demo.check.phone import AppError, Command, Phone, Sight
from tests.android_demo.live.seen import check_spoken, is_answered, words

PERMISSION = "android.permission.CAMERA"
SHARP = {"grey": 128, "contrast": 60}


def _picture(folder: Path) -> Path:
    """A lesion in the middle of a picture as the camera stores it."""
    file = folder / "photo.jpg"
    drawn_lesions()["known"].picture.convert("RGB").save(file, quality=95)
    return file


def _open(phone: Phone) -> Sight:
    phone.start()
    phone.press("take_picture")
    phone.do("permit", granted=True)
    return _preview(phone)


def _preview(phone: Phone) -> Sight:
    """Waits for the preview, which the camera's own thread begins."""

    def begun(_: Sight) -> bool:
        try:
            phone.do("frame", **SHARP)
        except AppError:
            return False
        return True

    return phone.until(begun)


def _shoot(phone: Phone, folder: Path) -> Sight:
    """Takes a picture once a frame has come, and waits for the screen of its answer."""
    phone.do("picture", file=str(_picture(folder)))
    phone.until(lambda sight: sight.view("shoot").enabled)
    phone.press("shoot")
    return phone.until(lambda sight: sight.screen == "ResultActivity")


def _hint(phone: Phone, hint: str, **frame: int) -> Sight:
    """Hands a frame over and waits for the hint."""
    phone.do("frame", **frame)
    return phone.until(lambda sight: sight.text("hint") == words(hint))


def _closed(phone: Phone) -> None:
    phone.until(lambda sight: not sight.camera["open"] and "camera" not in sight.threads)


def test_hints_follow_the_frames_and_are_said_when_they_change(
    app: Command, tmp_path: Path
) -> None:
    with Phone(app, tmp_path) as phone:
        check_spoken(_open(phone))
        _hint(phone, "hint_dark", grey=8, contrast=4)
        phone.said()
        for _ in range(3):
            _hint(phone, "hint_bright", grey=252, contrast=2)
            _hint(phone, "hint_bright", grey=252, contrast=2)
            _hint(phone, "hint_blurred", grey=128, contrast=0)
            _hint(phone, "hint_good", **SHARP)
        order = [words(f"hint_{kind}") for kind in ("bright", "blurred", "good")]
        assert phone.said() == 3 * order


def test_nothing_is_taken_before_the_first_frame(app: Command, tmp_path: Path) -> None:
    with Phone(app, tmp_path) as phone:
        phone.start()
        phone.press("take_picture")
        phone.do("permit", granted=True)
        sight = phone.until(lambda sight: sight.camera["open"])
        assert not sight.view("shoot").enabled
        with pytest.raises(AppError, match="not enabled"):
            phone.do("press", id="shoot")


@pytest.mark.parametrize(("rotation", "turn"), [(0, 90), (1, 0), (2, 270), (3, 180)])
def test_a_picture_is_taken_once_with_its_turn_cut_to_the_ring_and_answered(
    app: Command, tmp_path: Path, rotation: int, turn: int
) -> None:
    with Phone(app, tmp_path) as phone:
        _open(phone)
        phone.do("turn", rotation=rotation)
        _preview(phone)
        phone.do("picture", file=str(_picture(tmp_path)))
        phone.until(lambda sight: sight.view("shoot").enabled)
        phone.do("press", id="shoot")
        with pytest.raises(AppError, match=r"not enabled|not in front|0 views"):
            phone.do("press", id="shoot")  # a second tap
        sight = phone.until(is_answered)
        assert sight.stack == ("AboutActivity", "CameraActivity", "ResultActivity")
        assert sight.camera["turn"] == turn
        assert words("cut_to_ring") in sight.text("explanation")
        assert sight.view("lesion").bitmaps[0][:2] == (256, 256)
        _closed(phone)


def test_the_camera_s_picture_outlives_rotation_and_is_gone_with_the_process(
    app: Command, tmp_path: Path
) -> None:
    with Phone(app, tmp_path) as phone:
        _open(phone)
        _shoot(phone, tmp_path)
        phone.do("turn", rotation=1)  # perhaps before the answer
        before = phone.until(is_answered)
        assert len(before.view("lesion").bitmaps) == 2
        phone.do("leave")
    (tmp_path / "photo.jpg").unlink()
    assert not list(tmp_path.rglob("*.jpg"))  # the app itself kept none
    with Phone(app, tmp_path) as phone:
        phone.do("return")
        after = phone.until(is_answered)
        assert after.text("headline") == before.text("headline")
        assert words("picture_not_kept") in after.text("explanation")
        assert len(after.view("lesion").bitmaps) == 1
        phone.do("back")
        _preview(phone)  # the permission stays


def test_who_refuses_the_camera_is_asked_once_and_can_choose_a_picture(
    app: Command, tmp_path: Path
) -> None:
    with Phone(app, tmp_path) as phone:
        phone.start()
        assert phone.press("take_picture").asked == PERMISSION
        sight = phone.do("permit", granted=False)
        assert sight.text("hint") == words("camera_refused")
        assert words("camera_refused") in phone.said()
        assert not sight.sees("shoot")
        assert not sight.sees("guide_text")
        assert not sight.sees("guide")
        check_spoken(sight)
        assert phone.do("turn", rotation=1).asked is None
        phone.do("leave")
    drawn_lesions()["unknown"].picture.save(tmp_path / "shared" / "unknown.png")
    with Phone(app, tmp_path) as phone:
        phone.do("return")
        assert phone.do("look").asked is None  # not even after the end of the process
        assert phone.press("choose_picture").asked == "image/*"
        phone.choose("unknown.png")
        assert phone.until(is_answered).text("headline") == words("unknown")


def test_leaving_the_screen_closes_the_camera_and_coming_back_opens_it(
    app: Command, tmp_path: Path
) -> None:
    with Phone(app, tmp_path) as phone:
        _open(phone)
        phone.do("leave")
        _closed(phone)
        phone.do("return")
        _preview(phone)
        phone.do("turn", rotation=1)
        _preview(phone)
        phone.do("back")
        _closed(phone)
        phone.press("take_picture")
        _preview(phone)


def test_a_camera_that_another_app_has_is_told_and_tried_again(
    app: Command, tmp_path: Path
) -> None:
    with Phone(app, tmp_path) as phone:
        phone.start()
        phone.do("take_camera", taken=True)
        phone.press("take_picture")
        phone.do("permit", granted=True)
        sight = phone.until(lambda sight: sight.sees("choose_picture"))
        assert sight.text("hint") == words("camera_failed")
        assert phone.said()[-1] == words("camera_failed")
        assert not sight.sees("guide")
        _closed(phone)
        phone.do("leave")
        phone.do("take_camera", taken=False)
        assert phone.do("return").text("hint") == ""
        sight = _preview(phone)
        assert sight.sees("shoot")
        assert sight.sees("guide")
        assert not sight.sees("choose_picture")


def test_a_phone_without_a_camera_is_asked_for_no_permission(app: Command, tmp_path: Path) -> None:
    with Phone(app, tmp_path, camera="none") as phone:
        phone.start()
        sight = phone.press("take_picture")
        assert sight.asked is None
        assert sight.text("hint") == words("camera_missing")
        assert sight.sees("choose_picture")
        check_spoken(sight)


@pytest.mark.parametrize("granted", [True, False])
def test_the_phone_may_be_turned_under_the_question_and_the_process_may_end(
    app: Command, tmp_path: Path, granted: bool
) -> None:
    with Phone(app, tmp_path) as phone:
        phone.start()
        phone.press("take_picture")
        assert phone.do("turn", rotation=1).asked == PERMISSION
        phone.do("leave")
    with Phone(app, tmp_path) as phone:
        assert phone.do("return").asked == PERMISSION
        phone.do("turn", rotation=1)
        phone.do("permit", granted=granted)
        if granted:
            _preview(phone)
        else:
            assert phone.do("look").text("hint") == words("camera_refused")


def test_one_tap_takes_one_picture_though_frames_go_on(app: Command, tmp_path: Path) -> None:
    with Phone(app, tmp_path) as phone:
        _open(phone)
        phone.do("slow")
        phone.until(lambda sight: sight.view("shoot").enabled)
        phone.press("shoot")
        _hint(phone, "hint_dark", grey=8, contrast=4)
        assert not phone.do("look").view("shoot").enabled


@pytest.mark.parametrize("away", ["leave", "turn"])
def test_a_picture_that_comes_when_its_screen_is_gone_is_dropped(
    app: Command, tmp_path: Path, away: str
) -> None:
    with Phone(app, tmp_path) as phone:
        _open(phone)
        phone.do("picture", file=str(_picture(tmp_path)))
        phone.do("slow")
        phone.until(lambda sight: sight.view("shoot").enabled)
        phone.press("shoot")
        phone.do("develop", then=away)  # the picture waits for the main thread meanwhile
        if away == "leave":
            phone.do("return")
        _preview(phone)
        sight = phone.until(lambda sight: sight.view("shoot").enabled)
        assert sight.stack == ("AboutActivity", "CameraActivity")  # and another one can be taken


def test_the_preview_stands_upright_however_the_phone_is_held(app: Command, tmp_path: Path) -> None:
    with Phone(app, tmp_path) as phone:
        _open(phone)
        turned = []
        for rotation in (0, 1, 3, 1, 0, 2):  # also from one landscape to the other
            phone.do("turn", rotation=rotation)
            sight = _preview(phone)
            turned.append(sight.view("preview").turned)
        assert turned == [0, -90, 90, -90, 0, 180]


def test_a_picture_of_the_camera_is_gone_where_the_process_ends_before_the_answer(
    app: Command, tmp_path: Path
) -> None:
    with Phone(app, tmp_path) as phone:
        _open(phone)
        assert not is_answered(_shoot(phone, tmp_path))
        phone.do("leave")
    with Phone(app, tmp_path) as phone:
        phone.do("return")
        assert phone.until(is_answered).text("explanation") == words("fault_captured_gone")
