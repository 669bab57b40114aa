"""What every screen of the app has to be for those who cannot see it, and the app's own words."""

from __future__ import annotations

from android_demo.check.phone import Sight
from android_demo.check.widgets import Resources

_STRINGS = Resources(night=False)


def words(name: str, *values: object) -> str:
    """A string of the app, with its values."""
    return _STRINGS.string(name, *values)


def check_spoken(sight: Sight) -> None:
    """Checks that a screen reader has words for all that can be pressed or that is drawn."""
    buttons = [view for view in sight.views if view.button]
    assert all(view.spoken.strip() for view in buttons), buttons
    told = [view.spoken for view in buttons]
    assert len(set(told)) == len(told), told
    drawn = {"LesionView", "GuideView", "TextureView", "ImageView", "SeekBar"}
    unnamed = [v for v in sight.views if v.kind in drawn and not v.silent and not v.spoken.strip()]
    assert not unnamed, unnamed
