"""Waiting until a phone is cool again, so that a run does not pay for the one before."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Event

from benchmarks.phone.adb import Phone, Stopped
from benchmarks.phone.state import State, read_state
from runtimes.console import note

_BETWEEN_LOOKS = 2.0
_BETWEEN_LINES = 30.0


@dataclass(frozen=True)
class CoolDown:
    """When a phone counts as cool, and how long to wait for that.

    Attributes:
        seconds: to wait at most before a run; 0 never waits.
        celsius: of the battery at most.
    """

    seconds: float
    celsius: float

    def is_cool(self, state: State) -> bool:
        """Whether it does not throttle and its battery is not warm; what is not told is cool."""
        cool = state.celsius is None or state.celsius <= self.celsius
        return cool and state.thermal in (None, 0)


def cool_down(phone: Phone, name: str, limit: CoolDown, stop: Event) -> tuple[State, float]:
    """Waits until the phone is cool, or for as long as `limit` allows; says so if it has to.

    Returns:
        its state at the end, and the seconds waited.

    Raises:
        PhoneGone: the connection broke.
        Stopped: `stop` was set meanwhile.
    """
    began = told = time.monotonic()
    state = read_state(phone)
    while not limit.is_cool(state) and (waited := time.monotonic() - began) < limit.seconds:
        if told == began or time.monotonic() - told > _BETWEEN_LINES:
            told = time.monotonic()
            note(f"{name}: cooling down, {state}; {waited:.0f} of at most {limit.seconds:.0f} s")
        if stop.wait(min(_BETWEEN_LOOKS, limit.seconds - waited)):
            raise Stopped
        state = read_state(phone)
    return state, time.monotonic() - began
