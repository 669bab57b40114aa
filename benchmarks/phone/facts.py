"""What a phone says it is; nothing that tells whose it is."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.phone.adb import Phone
from benchmarks.phone.printable import printable
from runtimes.strict_json import StrictObject

NOT_TOLD = "not told"
_LONGEST = 100
_PROPERTY = re.compile(r"^\[([\w.-]+)\]: \[(.*)\]$", re.MULTILINE)


@dataclass(frozen=True)
class Facts:
    """What decides how fast it is; each from its properties, or "not told"."""

    manufacturer: str
    model: str
    soc: str
    android: str
    sdk: str
    abi: str
    build: str

    def __str__(self) -> str:
        return f"{self.manufacturer} {self.model}, {self.soc}, Android {self.android}, {self.abi}"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: StrictObject) -> Facts:
        """Reads what `to_json` gave."""
        facts = cls(**{name: value.text(name) for name in cls.__dataclass_fields__})
        value.close()
        return facts


def read_facts(phone: Phone) -> Facts:
    """Asks the phone for its properties.

    Raises:
        PhoneGone, PhoneFault: see `Phone.shell`.
    """
    return parse_properties(phone.shell("getprop").text)


def parse_properties(text: str) -> Facts:
    """Reads what `getprop` prints; values are cut short and made printable."""
    told = dict(_PROPERTY.findall(text))

    def value(*names: str) -> str:
        found = " ".join(filter(None, (printable(told.get(name, ""), _LONGEST) for name in names)))
        return found or NOT_TOLD

    return Facts(
        manufacturer=value("ro.product.manufacturer"),
        model=value("ro.product.model"),
        soc=value("ro.soc.manufacturer", "ro.soc.model")
        if "ro.soc.model" in told
        else value("ro.board.platform"),
        android=value("ro.build.version.release"),
        sdk=value("ro.build.version.sdk"),
        abi=value("ro.product.cpu.abi"),
        build=value("ro.build.id"),
    )


def id_of(serial: str) -> str:
    """Returns what a record calls a phone: a serial number would tell whose it is."""
    return hashlib.sha256(serial.encode()).hexdigest()[:8]
