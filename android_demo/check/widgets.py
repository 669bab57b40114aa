"""Android layout files as a tree of widgets with their values looked up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from android_demo.check.kotlin import DEMO
from runtimes.errors import InputError

RES = DEMO / "app" / "src" / "main" / "res"
_ANDROID = "{http://schemas.android.com/apk/res/android}"


@dataclass(frozen=True)
class Shape:
    """A background of the drawables: rounded, of one colour, with padding inside.

    Attributes:
        color: "#AARRGGBB".
        radius: of the corners, dp.
        padding: left, top, right, bottom, dp.
    """

    color: str
    radius: float
    padding: tuple[float, float, float, float]


@dataclass
class Widget:
    """One element of a layout; `values` are attributes without their namespace, looked up."""

    kind: str
    values: dict[str, str]
    children: list[Widget] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The name after @+id/, or ""."""
        return self.values.get("id", "").rpartition("/")[2]

    def find(self, name: str) -> Widget:
        """The widget with an id; KeyError where there is none."""
        if self.id == name:
            return self
        for child in self.children:
            try:
                return child.find(name)
            except KeyError:
                continue
        raise KeyError(name)

    def number(self, name: str, default: float = 0.0) -> float:
        """A length in dp or sp, or a plain number."""
        found = re.fullmatch(r"(-?[\d.]+)(dp|sp)?", self.values.get(name, ""))
        return float(found[1]) if found else default


class Resources:
    """Strings, colours, styles and drawables, by day or by night."""

    def __init__(self, night: bool) -> None:
        folders = ("values", "values-night") if night else ("values",)
        self._strings: dict[str, str] = {}
        self._colors: dict[str, str] = {}
        self._styles: dict[str, tuple[str | None, dict[str, str]]] = {}
        for folder in folders:
            for file in sorted((RES / folder).glob("*.xml")):
                self._read(file)

    def _read(self, file: Path) -> None:
        for item in ElementTree.parse(file).getroot():
            name = item.get("name", "")
            if item.tag == "string":
                self._strings[name] = (item.text or "").replace("\\'", "'").replace("\\n", "\n")
            elif item.tag == "color":
                self._colors[name] = item.text or ""
            elif item.tag == "style":
                values = {
                    entry.get("name", "").removeprefix("android:"): entry.text or ""
                    for entry in item
                }
                parent = item.get("parent") or name.rpartition(".")[0] or None
                self._styles[name] = (parent, values)

    def string(self, name: str, *values: object) -> str:
        """A string with its placeholders (%1$s, %2$d) filled in.

        Raises:
            InputError: it has more places than values, which ends the app on a phone.
        """
        text = self._strings[name]
        for i, value in enumerate(values, start=1):
            text = text.replace(f"%{i}$s", str(value)).replace(f"%{i}$d", str(value))
        if values and (left := re.search(r"%\d+\$[sd]", text)):
            raise InputError(f"{name}: {len(values)} values, and {left[0]} is left over.")
        return text.replace("%%", "%") if values else text

    def has_string(self, name: str) -> bool:
        """Whether there is a string of that name."""
        return name in self._strings

    def color(self, value: str) -> str:
        """A colour as "#AARRGGBB"."""
        return self._colors[value.removeprefix("@color/")] if value.startswith("@") else value

    def shape(self, value: str) -> Shape | None:
        """The drawable, colour or nothing behind a widget."""
        if value.startswith("@color/"):
            return Shape(self.color(value), 0.0, (0.0, 0.0, 0.0, 0.0))
        if not value.startswith("@drawable/"):
            return None
        root = ElementTree.parse(RES / "drawable" / f"{value.partition('/')[2]}.xml").getroot()
        solid, corners, padding = (
            root.find(".//solid"),
            root.find(".//corners"),
            root.find(".//padding"),
        )
        if solid is None or corners is None or padding is None:
            raise InputError(f"{value}: a drawable has corners, a solid colour and a padding here.")
        sides = tuple(_dp(padding.get(f"{_ANDROID}{side}", "0")) for side in _SIDES)
        return Shape(
            self.color(solid.get(f"{_ANDROID}color", "")),
            _dp(corners.get(f"{_ANDROID}radius", "0")),
            (sides[0], sides[1], sides[2], sides[3]),
        )

    def layout(self, name: str) -> Widget:
        """The tree of a layout file, styles and strings put in."""
        return self._widget(ElementTree.parse(RES / "layout" / f"{name}.xml").getroot())

    def _widget(self, element: ElementTree.Element) -> Widget:
        values = dict(self._style(element.get("style", "")))
        values |= {key.removeprefix(_ANDROID): value for key, value in element.attrib.items()}
        if values.get("text", "").startswith("@string/"):
            values["text"] = self.string(values["text"].partition("/")[2])
        kind = element.tag.rpartition(".")[2]
        return Widget(kind, values, [self._widget(child) for child in element])

    def _style(self, reference: str) -> Mapping[str, str]:
        name = reference.removeprefix("@style/")
        if name not in self._styles:
            return {}
        parent, values = self._styles[name]
        return {**self._style(parent or ""), **values}


_SIDES = ("left", "top", "right", "bottom")


def _dp(text: str) -> float:
    return float(text.removesuffix("dp"))
