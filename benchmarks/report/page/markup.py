"""HTML that cannot be broken by what it shows: everything is escaped that is not Markup."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

_EMPTY = ("meta", "link", "rect", "line", "circle", "path")


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escaped(value: object) -> Markup:
    """Returns a value as HTML text; what is not printable, or turns the direction, is replaced."""
    if isinstance(value, Markup):
        return value
    shown = (c if c.isprintable() or c == "\n" else "\ufffd" for c in str(value))
    return Markup(html.escape("".join(shown), quote=True))


def element(tag: str, *parts: object, **attributes: object) -> Markup:
    """Returns an element.

    Args:
        tag: its name.
        parts: its content; what is no Markup is escaped.
        attributes: `class_` is class, other underscores are hyphens; None leaves one out.
    """
    words = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _EMPTY:
        return Markup(f"<{tag}{words}>" if tag in ("meta", "link") else f"<{tag}{words}/>")
    return Markup(f"<{tag}{words}>{joined(parts)}</{tag}>")


def joined(parts: Iterable[object], between: str = "") -> Markup:
    """Returns the parts one after another."""
    return Markup(between.join(escaped(part) for part in parts))


def table(
    heads: Sequence[str], rows: Iterable[Sequence[object]], caption: str, prose: bool = False
) -> Markup:
    """Returns a table in a box of its own to scroll in; the first column names the row.

    Args:
        heads: of the columns.
        rows: cells; numbers as text, "–" where there is none.
        caption: what screen readers call it.
        prose: whether cells are sentences or hashes, which go on in further lines.
    """
    cells = [list(row) for row in rows]
    kinds = [_kind([row[column] for row in cells]) for column in range(len(heads))]
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(
                element("td", cell, class_=kind)
                for cell, kind in zip(row[1:], kinds[1:], strict=True)
            ),
        )
        for row in cells
    ]
    head = element(
        "tr",
        *(
            element("th", name, scope="col", class_=kind)
            for name, kind in zip(heads, kinds, strict=True)
        ),
    )
    parts = (
        element("caption", caption, class_="unseen"),
        element("thead", head),
        element("tbody", *body),
    )
    box = {"role": "region", "aria_label": caption, "tabindex": 0}
    return element(
        "div",
        element("table", *parts, class_="prose" if prose else None),
        class_="scroll",
        **box,
    )


def _kind(column: Sequence[object]) -> str | None:
    """Columns of words are set to the left, numbers to the right."""
    numbers = (not isinstance(c, Markup) and str(c)[:1] in "0123456789+−–-" for c in column)
    return None if all(numbers) else "words"
