"""A report as tests look at it: the page's elements and text, the published schema, the verb."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

from benchmarks.commands import report as command
from runtimes.console import Verb

VERB = (Verb("report", "", command.__name__),)
_ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((_ROOT / "docs/report.schema.json").read_text(encoding="utf-8"))
_VOID = {"meta", "link"}


class Page(HTMLParser):
    """Elements, attributes and text of a page; fails where tags are not balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    def values(self, tag: str, name: str) -> list[str]:
        return [value for t, n, value in self.attributes if (t, n) == (tag, name)]
