"""Which phones are connected, which of them are measured, and what to do about the others."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.phone.adb import Adb
from runtimes.errors import InputError

_READY = "device"
_PASSING = ("authorizing", "connecting", "offline")
_SETTLES = 3.0  # seconds that a phone needs after the start of adb's server
_LINE = re.compile(r"(\S+)\s+(no permissions|\S+)")
_ADVICE = {
    "unauthorized": "unlock it and tap Allow in its dialog 'Allow USB debugging?'. No dialog: "
    "revoke USB debugging authorizations in its developer options and plug it in again",
    "authorizing": "unlock it and tap Allow in its dialog 'Allow USB debugging?'",
    "offline": "unlock it, pull the cable out and plug it in again; if that does not help: "
    "adb kill-server",
    "no permissions": "this user may not use the USB port. Debian and Ubuntu: install "
    "android-sdk-platform-tools-common, join the group plugdev, log in again",
}
_OTHER_ADVICE = "start Android on it"
_NONE = (
    "no phone is connected. On the phone: Settings, About phone, tap the build number seven times; "
    "then in Developer options switch on USB debugging, plug it in with a cable that carries data, "
    "and tap Allow. `adb devices` should list it."
)


@dataclass(frozen=True)
class Listed:
    """A line of `adb devices`."""

    serial: str
    state: str

    @property
    def ready(self) -> bool:
        """Whether a program can run on it."""
        return self.state == _READY

    def __str__(self) -> str:
        return f"{self.serial} is {self.state}: {_ADVICE.get(self.state, _OTHER_ADVICE)}."


def list_devices(adb: Adb) -> tuple[Listed, ...]:
    """Returns what `adb devices -l` lists, after those that are just appearing have appeared.

    Raises:
        InputError: adb's server does not answer.
    """
    end = time.monotonic() + _SETTLES
    while True:
        answer = adb.call("devices", "-l")
        if answer.code != 0:
            raise InputError(
                f"{adb.program} devices failed: {answer.said}. Try: adb kill-server, then again."
            )
        found = parse_devices(answer.text)
        passing = any(device.state in _PASSING for device in found)
        if not passing or time.monotonic() > end:
            return found
        time.sleep(0.3)


def parse_devices(text: str) -> tuple[Listed, ...]:
    """Reads the lines of `adb devices -l`; those of adb's server about itself are no devices."""
    _, _, listed = text.partition("List of devices attached")
    matches = (_LINE.match(line) for line in listed.splitlines() if not line.startswith("*"))
    # A serial number is the phone's own word: one that would write on the terminal is left out.
    return tuple(Listed(m[1], m[2]) for m in matches if m and m[0].isprintable())


def choose_devices(
    listed: Sequence[Listed], serials: Sequence[str]
) -> tuple[tuple[Listed, ...], tuple[Listed, ...]]:
    """Returns the phones to measure, and those that are connected but not ready.

    Args:
        listed: by adb.
        serials: asked for; empty for all that are ready.

    Raises:
        InputError: none is ready, or one that is asked for is not; says what to do on each.
    """
    if not listed:
        raise InputError(_NONE)
    by_serial = {device.serial: device for device in listed}
    for serial in serials:
        if serial not in by_serial:
            raise InputError(f"no phone {serial} is connected; found: {', '.join(by_serial)}.")
        if serials.count(serial) > 1:
            raise InputError(f"--device names {serial} twice; name each phone once.")
    asked = [by_serial[serial] for serial in serials] or list(listed)
    ready = tuple(device for device in asked if device.ready)
    others = tuple(device for device in asked if not device.ready)
    if not ready or (serials and others):
        raise InputError("\n".join(str(device) for device in others))
    return ready, others
