"""The machine that times were taken on, and the state it was in; no names and no paths."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

NOT_READABLE = "not readable"
# Instructions that decide how fast int8 and half precision are.
_FLAGS = (
    *("avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16"),
    *("avx512_fp16", "amx_int8", "asimd", "asimdhp", "asimddp", "i8mm", "sve", "sve2"),
)


@dataclass(frozen=True)
class Machine:
    """What does not change during a run."""

    processor: str
    cores: int
    flags: tuple[str, ...]
    memory_bytes: int | None
    system: str
    virtual: bool | None
    governor: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "flags": list(self.flags)}


@dataclass(frozen=True)
class State:
    """What changes during a run.

    Attributes:
        load: processes that ran or waited, mean of the last minute; None where not told.
        megahertz: of each core.
        temperatures: sensor to degrees Celsius.
        stolen: seconds of all cores, since boot, in which other machines of the same host ran.
    """

    load: float | None
    megahertz: tuple[float, ...] | str
    temperatures: dict[str, float] | str
    stolen: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        plain = asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in plain.items()}


def describe_machine(root: Path = Path("/")) -> Machine:
    """Reads what the system tells of itself.

    Args:
        root: above proc/ and sys/.
    """
    about = _cpu_info(root)
    flags = set(about.get("flags", about.get("Features", "")).split())
    return Machine(
        processor=about.get("model name") or _sysctl("machdep.cpu.brand_string") or NOT_READABLE,
        cores=os.cpu_count() or 1,
        flags=tuple(name for name in _FLAGS if name in flags),
        memory_bytes=_memory(root),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        virtual="hypervisor" in flags if flags else None,
        governor=_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
        or NOT_READABLE,
    )


def read_state(root: Path = Path("/")) -> State:
    """Reads load, frequencies and temperatures.

    Args:
        root: above proc/ and sys/.
    """
    try:
        load = round(os.getloadavg()[0], 2)
    except OSError:
        load = None
    return State(
        load=load,
        megahertz=_frequencies(root) or NOT_READABLE,
        temperatures=_temperatures(root) or NOT_READABLE,
        stolen=_stolen(root),
    )


def _frequencies(root: Path) -> tuple[float, ...]:
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
    kilohertz = [int(text) for file in sorted(files) if (text := _text(file)).isdecimal()]
    if kilohertz:
        return tuple(value / 1000 for value in kilohertz)
    lines = re.findall(r"^cpu MHz\s*:\s*([\d.]+)$", _text(root / "proc/cpuinfo"), re.MULTILINE)
    return tuple(float(value) for value in lines)


def _temperatures(root: Path) -> dict[str, float]:
    found = {}
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        found[f"{zone.name} {_text(zone / 'type')}"] = _text(zone / "temp")
    for sensor in sorted((root / "sys/class/hwmon").glob("hwmon*/temp*_input")):
        stem = sensor.name.removesuffix("_input")
        words = (sensor.parent.name, _text(sensor.parent / "name"), stem)
        found[" ".join((*words, _text(sensor.with_name(f"{stem}_label")))).strip()] = _text(sensor)
    return {name: int(text) / 1000 for name, text in found.items() if re.fullmatch(r"-?\d+", text)}


def _stolen(root: Path) -> float | None:
    match = re.match(r"cpu\s+(?:\d+ +){7}(\d+)", _text(root / "proc/stat"))
    return None if match is None else int(match.group(1)) / os.sysconf("SC_CLK_TCK")


def _cpu_info(root: Path) -> dict[str, str]:
    first = _text(root / "proc/cpuinfo").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _memory(root: Path) -> int | None:
    match = re.search(r"^MemTotal:\s+(\d+) kB$", _text(root / "proc/meminfo"), re.MULTILINE)
    if match is not None:
        return int(match.group(1)) * 1024
    size = _sysctl("hw.memsize")
    return int(size) if size.isdecimal() else None


def _sysctl(name: str) -> str:
    if sys.platform != "darwin":
        return ""
    done = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _text(path: Path) -> str:
    """The content of a small file of the system; "" where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
