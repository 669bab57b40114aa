"""The screens as their layout files have them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from android_demo.check.drawing import SCALE, Screen
from android_demo.check.model import RELEASED, shipped
from android_demo.check.screens import HEIGHT, SCREENS, WIDTH, screen_faults, screens, stored
from android_demo.check.widgets import Resources, Widget
from runtimes.errors import InputError

LAYOUTS = ("about", "camera", "result", "probability", "benchmark")


def _all(widget: Widget) -> list[Widget]:
    return [widget, *(inner for child in widget.children for inner in _all(child))]


@pytest.fixture(scope="module")
def drawn() -> dict[str, Image.Image]:
    return dict(screens())


def test_every_screen_is_drawn_and_dark_is_dark(drawn: dict[str, Image.Image]) -> None:
    for name, picture in drawn.items():
        width, height = (HEIGHT, WIDTH) if "landscape" in name else (WIDTH, HEIGHT)
        assert picture.width == width * SCALE, name
        assert picture.height >= height * SCALE, name
    light, dark = (np.asarray(drawn[name])[0, 0].mean() for name in ("result", "result-dark"))
    assert light > 200
    assert dark < 40


def test_the_pictures_in_the_repository_are_what_is_drawn_today(
    drawn: dict[str, Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("android_demo.check.screens.screens", lambda: iter(drawn.items()))
    if shipped().name != RELEASED:
        pytest.skip(f"another model lies in the app: {shipped().name}")
    assert screen_faults() == []


@pytest.mark.parametrize("change", ["a letter", "another background", "cut", "gone"])
def test_a_picture_that_is_out_of_date_is_found(
    change: str, tmp_path: Path, drawn: dict[str, Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {name: drawn[name] for name in ("benchmark", "camera-refused")}
    monkeypatch.setattr("android_demo.check.screens.screens", lambda: iter(few.items()))
    for name, picture in few.items():
        stored(picture).save(tmp_path / f"{name}.png")
    assert screen_faults(tmp_path) == []
    file = tmp_path / "benchmark.png"
    picture = Image.open(file).convert("RGB")
    if change == "a letter":
        picture.paste((0, 0, 0), (100, 1200, 106, 1210))
    elif change == "another background":
        picture = Image.eval(picture, lambda value: max(0, value - 6))
    elif change == "cut":
        picture = picture.crop((0, 0, 720, 1000))
    picture.save(file)
    if change == "gone":
        file.unlink()
    (found,) = screen_faults(tmp_path)
    assert "benchmark" in found


def test_every_screen_is_shown_light_dark_and_with_large_text(
    drawn: dict[str, Image.Image],
) -> None:
    ways = {name: {"", "-dark", "-large-text"} for name in ("about", "result", "benchmark")}
    ways["camera"] = {"", "-large-text"}  # has the same colours day and night
    assert {name + way for name in ways for way in ways[name]} <= set(drawn)
    readme = (SCREENS.parent / "README.md").read_text("utf-8")
    assert {name for name in drawn if f"screens/{name}.png" not in readme} == set()
    night, day = Resources(night=True), Resources(night=False)
    for color in ("camera_background", "camera_ink", "camera_veil"):
        assert night.color(f"@color/{color}") == day.color(f"@color/{color}")


def test_the_first_screen_says_what_it_is_not_before_anything_can_be_tapped() -> None:
    widgets = _all(Resources(night=False).layout("about"))
    texts = [widget.values.get("text", "") for widget in widgets]
    said = texts.index("Research only, not a diagnosis")
    assert said < next(i for i, widget in enumerate(widgets) if widget.kind == "Button")
    assert any(
        widget.values.get("text") == "Research only, not a diagnosis"
        for widget in _all(Resources(night=False).layout("result"))
    )


def test_figures_are_never_said_without_what_they_were_measured_on() -> None:
    resources = Resources(night=False)
    readme = (SCREENS.parent / "README.md").read_text("utf-8")
    first = readme.split("\n\n")[0]
    for said in (resources.string("research_text"), resources.string("suspected_text"), first):
        assert "dermoscopy" in said
        assert re.search(r"for a plain phone photo .*do not hold", said, re.IGNORECASE)


def test_where_the_camera_is_refused_the_gallery_is_seen_in_landscape_with_the_largest_text(
    drawn: dict[str, Image.Image],
) -> None:
    # a higher picture means that its last button is off the screen
    assert drawn["camera-refused-landscape"].height == WIDTH * SCALE


def test_text_grows_with_the_phones_setting_and_nothing_has_a_fixed_height() -> None:
    for name in LAYOUTS:
        for widget in _all(Resources(night=False).layout(name)):
            if widget.kind not in ("TextView", "Button"):
                continue
            assert widget.values["textSize"].endswith("sp"), widget.id
            assert widget.values["layout_height"] == "wrap_content", widget.id


def test_screen_readers_have_words_for_what_is_no_text() -> None:
    described = {"GuideView", "SeekBar"}
    for name in LAYOUTS:
        for widget in _all(Resources(night=False).layout(name)):
            if widget.kind in described:
                assert widget.values["contentDescription"].startswith("@string/"), widget.kind
            if widget.kind == "Button":
                assert widget.number("minHeight") >= 48
                assert widget.values["text"]


@pytest.mark.parametrize("night", [False, True])
def test_colours_are_told_apart_by_weak_eyes(night: bool) -> None:
    resources = Resources(night)
    pairs = [("ink", "background"), ("faint", "background"), ("warning", "warning_background")]
    pairs += [("on_accent", "accent"), ("accent", "quiet"), ("warning", "background")]
    for front, back in pairs:
        bright = sorted(_luminance(resources.color(f"@color/{name}")) for name in (front, back))
        # WCAG 2: 4.5 to 1
        assert (bright[1] + 0.05) / (bright[0] + 0.05) >= 4.5, (front, back)


def _luminance(color: str) -> float:
    parts = np.array([int(color[i : i + 2], 16) / 255 for i in (3, 5, 7)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_a_string_with_a_place_too_many_is_found() -> None:
    resources = Resources(night=False)
    assert resources.string("most_likely", "Melanoma", "9.9 %") == "Most likely: Melanoma (9.9 %)"
    with pytest.raises(InputError, match=r"most_likely: 1 values, and %2\$s is left over"):
        resources.string("most_likely", "Melanoma")


def test_a_word_longer_than_the_line_is_broken() -> None:
    text = Widget(
        "TextView", {"text": "x" * 200, "textSize": "16sp", "layout_height": "wrap_content"}
    )
    screen = Screen(Resources(night=False), 100, 1.0, {}, {})
    assert screen.draw(text, 10, "@color/background").height > 10 * 16 * SCALE
