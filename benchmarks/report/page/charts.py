"""The pictures of a report, drawn as inline SVG: no library, no script, colours of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.report.page.figures import megabytes, milliseconds, percent
from benchmarks.report.page.markup import Markup, element
from benchmarks.report.pareto import Point

_WIDTH, _HEIGHT = 440.0, 330.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 54.0, 14.0, 14.0, 44.0
_FONT, _CHARACTER = 12.5, 6.7
_RADIUS_OF_A_MEGABYTE = 3.6
SHADES = ("p50", "p90", "p99")  # classes of the style, from the darkest


@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


def scatter(points: Sequence[Point], reference: float, device: str, measure: str) -> Markup:
    """Draws balanced accuracy over latency; the area of a disc is the size of the file.

    Args:
        points: at least one.
        reference: torch's balanced accuracy.
        device: its name.
        measure: which latency, such as "p50".
    """
    most = max(point.latency for point in points) * 1.12
    low = min(reference, *(point.low for point in points))
    high = max(reference, *(point.high for point in points))
    margin = max(0.08 * (high - low), 0.002)
    low, high = low - margin, high + margin

    def x(latency: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * latency / most

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (value - low) / (high - low)

    parts = [*_axes(most, low, high, x, y, measure)]
    line = {"x1": _LEFT, "x2": _WIDTH - _RIGHT, "y1": y(reference), "y2": y(reference)}
    parts.append(element("line", class_="reference", **_short(line)))
    discs = []
    for point in sorted(points, key=lambda point: -point.bytes):
        across = x(point.latency)
        ends = {"x1": across, "x2": across, "y1": y(point.low), "y2": y(point.high)}
        parts.append(element("line", class_="whisker", **_short(ends)))
        radius = _radius(point.bytes)
        centre = {"cx": across, "cy": y(point.balanced_accuracy), "r": radius}
        kind = f"disc {_family(point.format)}{' front' if point.front else ''}"
        said = (
            f"{point.format}: {percent(point.balanced_accuracy, 2)} %, "
            f"{milliseconds(point.latency)} ms, {megabytes(point.bytes)} MB"
        )
        parts.append(element("circle", class_=kind, **_short(centre)))
        cx, cy = across, y(point.balanced_accuracy)
        discs.append((point.format, cx, cy, radius))
        parts[-1] = element("g", element("title", said), parts[-1])
    parts += _labels(discs)
    said = (
        f"Balanced accuracy against latency ({measure}) on {device}: "
        + "; ".join(
            f"{p.format} {percent(p.balanced_accuracy, 2)} % in {milliseconds(p.latency)} ms with "
            f"{megabytes(p.bytes)} MB"
            for p in points
        )
        + "."
    )
    return element(
        "svg",
        *parts,
        class_="scatter",
        viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
        role="img",
        aria_label=said,
    )


def bars(times: dict[str, float], longest: float) -> Markup:
    """Draws times of one file as bars in each other, as wide as its place on the page.

    Args:
        times: up to three by name in milliseconds, the shortest first.
        longest: what the whole width stands for.
    """
    shown = list(zip(SHADES, times.values(), strict=False))
    parts = [
        element("rect", class_=shade, x=0, y=0, height=10, width=f"{100 * value / longest:.2f}")
        for shade, value in reversed(shown)
    ]
    said = ", ".join(f"{name} {milliseconds(value)}" for name, value in times.items())
    said += " milliseconds"
    box = {"viewBox": "0 0 100 10", "preserveAspectRatio": "none"}
    return element("svg", *parts, class_="bars", role="img", aria_label=said, **box)


def whisker(value: float, low: float, high: float) -> Markup:
    """Draws a share of 1 with its interval on a line from 0 to 1."""
    line = {"x1": 100 * low, "x2": 100 * high, "y1": 5, "y2": 5}
    parts = (
        element("line", class_="span", x1=0, x2=100, y1=5, y2=5),
        element("line", class_="interval", **_short(line)),
        element("rect", class_="mark", x=f"{100 * value - 0.8:.2f}", y=0, width=1.6, height=10),
    )
    box = {"viewBox": "0 0 100 10", "preserveAspectRatio": "none", "aria_hidden": "true"}
    return element("svg", *parts, class_="whiskers", **box)


def _axes(most: float, low: float, high: float, x: object, y: object, measure: str) -> list[Markup]:
    assert callable(x)
    assert callable(y)
    bottom, parts = _HEIGHT - _BOTTOM, []
    for value in _ticks(low, high):
        place = {"x1": _LEFT, "x2": _WIDTH - _RIGHT, "y1": y(value), "y2": y(value)}
        parts.append(element("line", class_="grid", **_short(place)))
        digits = 1 if high - low < 0.1 else 0
        where = _short({"x": _LEFT - 6, "y": y(value) + 4})
        parts.append(element("text", percent(value, digits), text_anchor="end", **where))
    for value in _ticks(0, most):
        where = _short({"x": x(value), "y": bottom + 17})
        parts.append(element("text", f"{value:g}", text_anchor="middle", **where))
    baseline = {"x1": _LEFT, "x2": _WIDTH - _RIGHT, "y1": bottom, "y2": bottom}
    parts.append(element("line", class_="axis", **_short(baseline)))
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    where = _short({"x": middle, "y": _HEIGHT - 8})
    parts.append(element("text", f"latency ({measure}), ms", text_anchor="middle", **where))
    turned = f"translate(13 {(_TOP + bottom) / 2:g}) rotate(-90)"
    parts.append(element("text", "balanced accuracy, %", text_anchor="middle", transform=turned))
    return parts


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`, some five of them."""
    rough = (high - low) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if rough <= power * factor)
    first = math.ceil(low / step - 1e-9)
    return [round(step * i, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _labels(discs: Sequence[tuple[str, float, float, float]]) -> list[Markup]:
    """Names beside the discs, each at the first place near it where nothing else stands."""
    taken = [_Box(cx - r, cy - r, cx + r, cy + r) for _, cx, cy, r in discs]
    parts = []
    for name, cx, cy, radius in sorted(discs, key=lambda disc: (disc[2], disc[1])):
        width = _CHARACTER * len(name)
        box = _free(cx, cy, radius, width, taken)
        taken.append(box)
        middle = (box.left + box.right) / 2
        near = min(max(cx, box.left), box.right)
        if math.hypot(near - cx, (box.top + box.bottom) / 2 - cy) > radius + _FONT:
            foot = box.bottom if box.bottom < cy else box.top
            ends = {"x1": cx, "y1": cy, "x2": near, "y2": foot}
            parts.append(element("line", class_="leader", **_short(ends)))
        where = _short({"x": middle, "y": box.bottom - 3.5})
        parts.append(element("text", name, class_="name", text_anchor="middle", **where))
    return parts


def _free(cx: float, cy: float, radius: float, width: float, taken: Sequence[_Box]) -> _Box:
    inside = _Box(_LEFT + 2, _TOP, _WIDTH - 2, _HEIGHT - _BOTTOM)
    first: _Box | None = None
    for ring in range(12):
        reach = radius + 4 + 9 * ring
        for step in range(16):
            turn = math.pi * (0 if step == 0 else (step + 1) // 2 * (-1) ** step) / 8
            middle = cx + math.cos(turn) * (reach + width / 2)
            centre = cy - math.sin(turn) * (reach + _FONT / 2)
            box = _Box(middle - width / 2, centre - 7.5, middle + width / 2, centre + 7.5)
            fits = inside.left <= box.left and box.right <= inside.right
            fits = fits and inside.top <= box.top and box.bottom <= inside.bottom
            if fits:
                first = first or box
            if fits and not any(box.meets(other) for other in taken):
                return box
    return first or _Box(inside.left, inside.top, inside.left + width, inside.top + 15)


def _radius(size: int) -> float:
    return min(max(_RADIUS_OF_A_MEGABYTE * math.sqrt(size / 1e6), 3.0), 24.0)


def _family(form: str) -> str:
    family = form.partition(":")[0]
    return family if family in ("onnx", "tflite", "coreml") else "other"


def _short(places: dict[str, float]) -> dict[str, str]:
    return {name: f"{value:.1f}" for name, value in places.items()}
