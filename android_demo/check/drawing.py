"""Draws a tree of widgets as a phone's screen: enough of Android's rules for the demo's layouts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from android_demo.check.widgets import Resources, Widget

SCALE = 2  # pixels a dp
_SIDES = ("Left", "Top", "Right", "Bottom")
_FONTS = {False: "DejaVuSans.ttf", True: "DejaVuSans-Bold.ttf"}

Painter = Callable[[Image.Image, "Box"], None]


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    left: int
    top: int
    width: int
    height: int

    def inside(self, sides: tuple[int, int, int, int]) -> Box:
        """Without a border of left, top, right and bottom."""
        left, top, right, bottom = sides
        return Box(
            self.left + left, self.top + top, self.width - left - right, self.height - top - bottom
        )


class Screen:
    """Measures and draws one screen.

    `painters` draw what the app's own views draw, by the widget's id; `heights` tell in dp how high
    they want to be.
    """

    def __init__(
        self,
        resources: Resources,
        width: int,
        text_scale: float,
        painters: dict[str, Painter],
        heights: dict[str, float],
    ) -> None:
        self._resources = resources
        self._width = width * SCALE
        self._text_scale = text_scale
        self._painters, self._heights = painters, heights
        self._image = Image.new("RGB", (1, 1))

    def draw(self, root: Widget, height: int, background: str) -> Image.Image:
        """Draws the whole content, which may be higher than the `height` in dp of a phone."""
        full = max(height * SCALE, self._height(root, self._width))
        image = Image.new("RGB", (self._width, full), _rgb(self._resources.color(background)))
        self._image = image
        self._draw(ImageDraw.Draw(image, "RGBA"), root, Box(0, 0, self._width, full))
        return image

    def _padding(self, widget: Widget) -> tuple[int, int, int, int]:
        shape = self._resources.shape(widget.values.get("background", ""))
        own = shape.padding if shape else (0.0, 0.0, 0.0, 0.0)
        base = widget.number("padding", -1)
        sides = []
        for side, default in zip(_SIDES, own, strict=True):
            value = widget.number(f"padding{side}", base if base >= 0 else default)
            sides.append(round(value * SCALE))
        return sides[0], sides[1], sides[2], sides[3]

    def _margin(self, widget: Widget) -> tuple[int, int, int, int]:
        base = widget.number("layout_margin")
        names = (
            "layout_marginLeft",
            "layout_marginTop",
            "layout_marginRight",
            "layout_marginBottom",
        )
        values = [widget.number(name, base) for name in names]
        values[0] = widget.number("layout_marginStart", values[0])
        left, top, right, bottom = (round(value * SCALE) for value in values)
        return left, top, right, bottom

    def _height(self, widget: Widget, width: int) -> int:
        """The height in pixels that a widget wants at this width, without its margins."""
        if widget.id in self._heights:
            return round(self._heights[widget.id] * SCALE)
        fixed = widget.number("layout_height", -1)
        if fixed > 0:
            return round(fixed * SCALE)
        left, top, right, bottom = self._padding(widget)
        inner = width - left - right
        if widget.kind in ("TextView", "Button"):
            content = self._text_height(widget, inner)
        elif _across(widget):
            content = max(
                (self._outer(child, w) for child, w in self._columns(widget, inner)), default=0
            )
        elif widget.kind == "LinearLayout":
            content = sum(self._outer(child, inner) for child in _shown(widget))
        else:
            content = max((self._outer(child, inner) for child in _shown(widget)), default=0)
        return max(content + top + bottom, round(widget.number("minHeight") * SCALE))

    def _outer(self, widget: Widget, width: int) -> int:
        left, top, right, bottom = self._margin(widget)
        return self._height(widget, width - left - right) + top + bottom

    def _columns(self, widget: Widget, width: int) -> list[tuple[Widget, int]]:
        """Children side by side: what has a weight gets what the others leave."""
        fixed = {
            id(child): 0 if child.number("layout_weight") else self._text_width(child)
            for child in _shown(widget)
        }
        weights = sum(child.number("layout_weight") for child in _shown(widget)) or 1.0
        left = width - sum(fixed.values())
        return [
            (child, fixed[id(child)] or round(left * child.number("layout_weight") / weights))
            for child in _shown(widget)
        ]

    def _draw(self, draw: ImageDraw.ImageDraw, widget: Widget, box: Box) -> None:
        shape = self._resources.shape(widget.values.get("background", ""))
        if shape is not None:
            edge = (box.left, box.top, box.left + box.width - 1, box.top + box.height - 1)
            draw.rounded_rectangle(edge, round(shape.radius * SCALE), fill=_rgba(shape.color))
        if widget.id in self._painters:
            self._painters[widget.id](self._image, box)
            return
        inner = box.inside(self._padding(widget))
        if widget.kind in ("TextView", "Button"):
            self._draw_text(draw, widget, inner)
        elif widget.kind == "ProgressBar":
            self._draw_bar(draw, widget, inner)
        elif widget.kind == "SeekBar":
            self._draw_slider(draw, widget, inner)
        elif _across(widget):
            left = inner.left
            for child, width in self._columns(widget, inner.width):
                self._place(draw, child, Box(left, inner.top, width, inner.height))
                left += width
        elif widget.kind == "LinearLayout":
            self._draw_column(draw, widget, inner)
        else:
            for child in _shown(widget):
                self._place(draw, child, inner)

    def _draw_column(self, draw: ImageDraw.ImageDraw, widget: Widget, inner: Box) -> None:
        heights = [
            0 if child.number("layout_weight") else self._outer(child, inner.width)
            for child in _shown(widget)
        ]
        spare = inner.height - sum(heights)
        top = inner.top
        for child, height in zip(_shown(widget), heights, strict=True):
            taken = spare if child.number("layout_weight") else height
            self._place(draw, child, Box(inner.left, top, inner.width, taken))
            top += taken

    def _place(self, draw: ImageDraw.ImageDraw, widget: Widget, box: Box) -> None:
        inner = box.inside(self._margin(widget))
        if widget.values.get("layout_height") != "match_parent" and widget.kind != "View":
            inner = replace(inner, height=self._height(widget, inner.width))
        self._draw(draw, widget, inner)

    def _font(self, widget: Widget) -> ImageFont.FreeTypeFont:
        medium = "medium" in widget.values.get("fontFamily", "")
        bold = widget.values.get("textStyle") == "bold" or medium or widget.kind == "Button"
        size = widget.number("textSize", 14) * self._text_scale * SCALE * 0.92
        return ImageFont.truetype(_fonts() / _FONTS[bold], round(size))

    def _lines(self, widget: Widget, width: int) -> list[str]:
        font, lines = self._font(widget), []
        for paragraph in widget.values.get("text", "").split("\n"):
            line = ""
            for word in paragraph.split(" "):
                longer = f"{line} {word}".strip()
                if line and font.getlength(longer) > width:
                    lines.append(line)
                    longer = word
                while font.getlength(longer) > width:  # a path, for example, breaks anywhere
                    fits = max(
                        n for n in range(1, len(longer)) if font.getlength(longer[:n]) <= width
                    )
                    lines.append(longer[:fits])
                    longer = longer[fits:]
                line = longer
            lines.append(line)
        return lines

    def _line_height(self, widget: Widget) -> int:
        spacing = widget.number("lineSpacingMultiplier", 1.0)
        return round(widget.number("textSize", 14) * self._text_scale * SCALE * 1.2 * spacing)

    def _text_height(self, widget: Widget, width: int) -> int:
        return len(self._lines(widget, width)) * self._line_height(widget)

    def _text_width(self, widget: Widget) -> int:
        left, _, right, _ = self._margin(widget)
        text = self._font(widget).getlength(widget.values.get("text", ""))
        return round(text) + left + right + 2

    def _draw_text(self, draw: ImageDraw.ImageDraw, widget: Widget, box: Box) -> None:
        font, lines, step = (
            self._font(widget),
            self._lines(widget, box.width),
            self._line_height(widget),
        )
        color = _rgb(self._resources.color(widget.values.get("textColor", "@color/ink")))
        centred = widget.kind == "Button" or widget.values.get("gravity") == "center"
        top = box.top + max(0, (box.height - len(lines) * step) // 2 if centred else 0)
        for line in lines:
            left = box.left + (round(box.width - font.getlength(line)) // 2 if centred else 0)
            draw.text((left, top + (step - font.size) // 2), line, fill=color, font=font)
            top += step

    def _draw_bar(self, draw: ImageDraw.ImageDraw, widget: Widget, box: Box) -> None:
        share = widget.number("progress") / widget.number("max", 100)
        middle = box.top + box.height // 2
        accent = self._resources.color("@color/accent")
        for part, alpha in ((1.0, 60), (share, 255)):
            edge = (box.left, middle - 4, box.left + max(1, round(box.width * part)), middle + 4)
            draw.rectangle(edge, fill=(*_rgb(accent), alpha))

    def _draw_slider(self, draw: ImageDraw.ImageDraw, widget: Widget, box: Box) -> None:
        inner = box.inside((32, 0, 32, 0))
        self._draw_bar(draw, widget, inner)
        share = widget.number("progress") / widget.number("max", 100)
        x, y = inner.left + round(inner.width * share), box.top + box.height // 2
        accent = _rgb(self._resources.color("@color/accent"))
        draw.ellipse((x - 14, y - 14, x + 14, y + 14), fill=accent)


@cache
def _fonts() -> Path:
    """Matplotlib's own, so that the pictures are the same on every system."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def _shown(widget: Widget) -> list[Widget]:
    return [child for child in widget.children if child.values.get("visibility") != "gone"]


def _across(widget: Widget) -> bool:
    return widget.kind == "LinearLayout" and widget.values.get("orientation") == "horizontal"


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[3:5], 16), int(color[5:7], 16), int(color[7:9], 16)


def _rgba(color: str) -> tuple[int, int, int, int]:
    return (*_rgb(color), int(color[1:3], 16))
