"""Which files no other file beats in accuracy, latency and size at once."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.report.devices import Device, Timing
from benchmarks.report.findings import Findings


@dataclass(frozen=True)
class Point:
    """A file on one device.

    Attributes:
        format: its key.
        latency: in milliseconds, by the device's measure.
        balanced_accuracy: a share of 1.
        low: lower end of the 95 % interval: torch's balanced accuracy plus the paired difference.
        high: its upper end.
        bytes: size of the file.
        front: whether no other file is at least as good in all three and better in one.
        setting: of the device in which it took that time; "" where there is but one.
    """

    format: str
    latency: float
    balanced_accuracy: float
    low: float
    high: float
    bytes: int
    front: bool
    setting: str


def pareto_points(found: Findings, device: Device) -> tuple[Point, ...]:
    """Returns the files that have all three figures; none without the test side.

    Where a device ran a file in several settings, its fastest counts.
    """
    table = found.test_side
    if table is None:
        return ()
    points = []
    for file in found.export.files:
        row = table.rows.get(file.format)
        times = [
            (latency, _setting(time))
            for time in device.rows
            if time.format == file.format and (latency := device.time(time)) is not None
        ]
        if row is None or not times:
            continue
        latency, setting = min(times)
        value = row.metrics["balanced_accuracy"].value
        base = table.reference.metrics["balanced_accuracy"].value
        difference = row.difference["balanced_accuracy"]
        if value is None or base is None or difference.low is None or difference.high is None:
            continue
        low, high = base + difference.low, base + difference.high
        points.append(Point(file.format, latency, value, low, high, file.bytes, False, setting))
    return tuple(
        Point(**{**vars(point), "front": not any(_beats(other, point) for other in points)})
        for point in points
    )


def _setting(time: Timing) -> str:
    if time.phone is None or not time.phone.is_other:
        return time.setting
    return f"{time.setting}; ran: {time.phone.ran}"


def _beats(one: Point, other: Point) -> bool:
    ours = (-one.latency, one.balanced_accuracy, -one.bytes)
    theirs = (-other.latency, other.balanced_accuracy, -other.bytes)
    return ours != theirs and all(a >= b for a, b in zip(ours, theirs, strict=True))
