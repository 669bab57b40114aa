"""How warm a phone is, how full its battery, how fast its cores: read before and after a run."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.phone.adb import Phone, PhoneFault
from runtimes.strict_json import StrictObject, is_number

# PowerManager.THERMAL_STATUS_*
THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
_MOST = 1 << 18
_PART = "dermport-part"
_SCRIPT = f"""dumpsys thermalservice
echo; echo {_PART}
dumpsys battery
echo; echo {_PART}
cat /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq"""
_MOST_CORES = 64


@dataclass(frozen=True)
class State:
    """One look at a phone; None where it tells nothing, or nothing that can be.

    Attributes:
        thermal: 0 to 6, see `THERMAL`.
        battery: level in percent.
        celsius: of the battery.
        megahertz: of each core at that moment, an idle one's too.
    """

    thermal: int | None
    battery: int | None
    celsius: float | None
    megahertz: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "megahertz": list(self.megahertz)}

    @classmethod
    def from_json(cls, value: StrictObject) -> State:
        """Reads what `to_json` gave.

        Raises:
            InputError: a value that no phone tells.
        """
        thermal, battery = (value.number_or_none(name) for name in ("thermal", "battery"))
        celsius = value.number_or_none("celsius")
        megahertz = value.array("megahertz")
        if thermal is not None and thermal not in range(len(THERMAL)):
            raise value.error("thermal", thermal, f"a whole number from 0 to {len(THERMAL) - 1}")
        if not all(map(is_number, megahertz)):
            raise value.error("megahertz", megahertz, "an array of numbers")
        value.close()
        return cls(
            None if thermal is None else int(thermal),
            None if battery is None else int(battery),
            celsius,
            tuple(map(float, megahertz)),
        )

    def __str__(self) -> str:
        thermal = "not told" if self.thermal is None else THERMAL[self.thermal]
        celsius = "not told" if self.celsius is None else f"{self.celsius:.1f} °C"
        return f"thermal status {thermal}, battery {celsius}"


def read_state(phone: Phone) -> State:
    """Looks at the phone; where its services hang or print without end, it tells nothing.

    Raises:
        PhoneGone: the connection broke.
    """
    try:
        return parse_state(phone.shell(_SCRIPT, most=_MOST).text)
    except PhoneFault:
        return parse_state("")


def parse_state(text: str) -> State:
    """Reads what the services print; a value beyond what can be counts as not told."""
    thermal, battery, cores = (*text.split(f"\n{_PART}\n"), "", "")[:3]
    tenths = _value(r"^[ \t]{0,9}temperature: (-?\d{1,6})\r?$", battery, -400, 1200)
    kilohertz = [int(line) for line in cores.splitlines() if re.fullmatch(r"\d{4,8}", line)]
    return State(
        thermal=_value(r"^[ \t]{0,9}Thermal Status: (\d{1,3})\r?$", thermal, 0, len(THERMAL) - 1),
        battery=_value(r"^[ \t]{0,9}level: (\d{1,6})\r?$", battery, 0, 100),
        celsius=None if tenths is None else tenths / 10,
        megahertz=tuple(value / 1000 for value in kilohertz[:_MOST_CORES]),
    )


def _value(pattern: str, text: str, least: int, most: int) -> int | None:
    match = re.search(pattern, text, re.MULTILINE)
    return int(match[1]) if match and least <= int(match[1]) <= most else None
