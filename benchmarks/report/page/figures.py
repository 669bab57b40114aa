"""How figures are written: the same digits everywhere."""

from __future__ import annotations

from benchmarks.report.fields import Interval

NONE = "–"


def percent(value: float | None, digits: int = 1) -> str:
    """A share of 1 as per cent, without the sign."""
    return NONE if value is None else f"{100 * value:.{digits}f}"


def percent_interval(found: Interval, digits: int = 1) -> str:
    """A share with its 95 % interval, in per cent."""
    if found.value is None or found.low is None or found.high is None:
        return NONE
    ends = f"{100 * found.low:.{digits}f} to {100 * found.high:.{digits}f}"
    return f"{100 * found.value:.{digits}f} ({ends})"


def points(value: float | None, digits: int = 2) -> str:
    """A difference of shares in percentage points, with its sign."""
    return NONE if value is None else _signed(100 * value, digits)


def points_interval(found: Interval, digits: int = 2) -> str:
    """A difference with its 95 % interval, in percentage points."""
    if found.value is None or found.low is None or found.high is None:
        return NONE
    ends = f"{_signed(100 * found.low, digits)} to {_signed(100 * found.high, digits)}"
    return f"{_signed(100 * found.value, digits)} ({ends})"


def ratio(found: Interval | None) -> str:
    """A ratio with its 95 % interval."""
    if found is None or found.value is None or found.low is None or found.high is None:
        return NONE
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def milliseconds(value: float | None) -> str:
    """A time in milliseconds, three digits of it."""
    if value is None:
        return NONE
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def megabytes(value: int | None, digits: int = 2) -> str:
    """Bytes as millions."""
    return NONE if value is None else f"{value / 1e6:,.{digits}f}"


def small(value: float | None) -> str:
    """A number that may be very small."""
    if value is None:
        return NONE
    return "0" if value == 0 else f"{value:.1e}"


def small_interval(found: Interval | None) -> str:
    """A difference that may be very small, with its sign and 95 % interval."""
    if found is None or found.value is None or found.low is None or found.high is None:
        return NONE
    value, low, high = (
        f"{'−' if each < 0 else '+'}{abs(each):.1e}"
        for each in (found.value, found.low, found.high)
    )
    return f"{value} ({low} to {high})"


def signed_megabytes(value: int) -> str:
    """A difference of bytes, as millions."""
    return _signed(value / 1e6, 2)


def _signed(value: float, digits: int) -> str:
    text = f"{abs(value):.{digits}f}"
    if not float(text):
        return text
    return f"{'+' if value > 0 else '−'}{text}"
