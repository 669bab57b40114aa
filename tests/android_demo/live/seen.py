"""What the screens show and say, for the tests of them."""

from __future__ import annotations

from collections.abc import Callable

from android_demo.check.phone import Phone, Sight
from android_demo.check.widgets import Resources

OpenPhone = Callable[..., Phone]

_STRINGS = Resources(night=False)


def words(name: str, *values: object) -> str:
    """A string of the app, with its values."""
    return _STRINGS.string(name, *values)


def is_answered(sight: Sight) -> bool:
    """Whether the result is there, be it an answer or a message."""
    return sight.screen == "ResultActivity" and sight.text("headline") != words("working")


def has_card(sight: Sight) -> bool:
    """Whether the first screen shows a model's card."""
    return words("reading_model") != sight.text("card") != ""


def choose(phone: Phone, name: str) -> Sight:
    """Starts the app, chooses a picture and waits for what comes of it."""
    phone.start()
    phone.press("choose_picture")
    phone.choose(name)
    return phone.until(is_answered)


def end_process(phone: Phone) -> None:
    """The person goes elsewhere, and Android ends the app."""
    phone.do("leave")
    phone.kill()


def check_spoken(sight: Sight) -> None:
    """Checks that a screen reader has words for all that can be pressed or that is drawn."""
    buttons = [view for view in sight.views if view.button]
    assert all(view.spoken.strip() for view in buttons), buttons
    told = [view.spoken for view in buttons]
    assert len(set(told)) == len(told), told
    drawn = {"LesionView", "GuideView", "TextureView", "SeekBar"}
    unnamed = [v for v in sight.views if v.kind in drawn and not v.silent and not v.spoken.strip()]
    assert not unnamed, unnamed
