"""What the sections of a page are made of."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.report.devices import Timing
from benchmarks.report.page.markup import Markup, element, escaped, joined
from benchmarks.report.report import Report


def section(report: Report, key: str, title: str, *parts: object) -> Markup:
    """A section with its heading and anchor."""
    heading = element("h2", title, id=f"{key}-title")
    return element("section", heading, *parts, id=key, aria_labelledby=f"{key}-title")


def paragraph(*parts: object, class_: str | None = None) -> Markup:
    """A paragraph."""
    return element("p", *parts, class_=class_)


def figure(report: Report, sources: Sequence[str], caption: object, *parts: object) -> Markup:
    """A table or picture, what it shows, and the JSON files that its figures come from."""
    words = (caption, " ", cite(report, sources))
    return element("figure", element("figcaption", *words), *parts)


def cite(report: Report, sources: Sequence[str]) -> Markup:
    """Links to the copies of JSON files, each with the beginning of its hash."""
    known = {source.copy: source for source in report.sources}
    links = []
    for copy in dict.fromkeys(sources):
        digest = known[copy].sha256
        link = element("a", copy.removeprefix("data/"), href=copy, title=f"SHA-256 {digest}")
        links.append(joined((link, " ", element("code", digest[:8]))))
    return element("span", "Source: ", joined(links, ", "), class_="source")


def missing(report: Report, what: str) -> Markup:
    """Says that figures are missing, and which command makes them."""
    item = next(item for item in report.found.missing if item.what == what)
    sentence = paragraph(item.sentence, " This makes them:", class_="missing")
    return joined((sentence, element("pre", element("code", item.command), tabindex=0)))


def code(text: str) -> Markup:
    """A name of a file or format."""
    return element("code", text)


def items(parts: Sequence[object], class_: str | None = None) -> Markup:
    """A list."""
    return element("ul", *(element("li", escaped(part)) for part in parts), class_=class_)


def timing_name(row: Timing) -> str:
    """What was timed, with its setting."""
    kind = "peer" if row.kind == "peer" else "other content"
    name = row.format if row.kind == "own" else f"{row.name} ({kind})"
    return f"{name}, {row.setting}" if row.setting else name
