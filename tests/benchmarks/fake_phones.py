"""Phones for the tests: real adbd processes, each in a root of its own, in a network of their own.

The real adb server runs in that network too; the client reaches it by a socket file, so that
nothing of this is seen from outside, and no phone that is really connected is touched.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benchmarks.debian import own_architecture, unpack_packages
from runtimes.atomic import replacing_folder
from runtimes.errors import InputError

HERE = Path(__file__).resolve().parent / "adb"
RUNNER = HERE / "benchmark_model"
_PROGRAMS = ("unshare", "nsenter", "setpriv", "ip")
_WITH_US = ("setpriv", "--pdeathsig", "KILL")  # where the tests are killed, all of it goes
_ADB_PACKAGES = (
    *("adb", "adbd", "android-libbase", "android-libboringssl", "android-libcutils"),
    *("android-liblog", "android-libziparchive", "libbrotli1", "libbsd0", "libc6", "libcap2"),
    *("libgcc-s1", "liblz4-1", "libmd0", "libprotobuf32t64", "libstdc++6", "libsystemd0"),
    *("libudev1", "libusb-1.0-0", "libxxhash0", "libzstd1", "zlib1g"),
)
_PROPERTIES = """[ro.build.id]: [AP4A.250105.002]
[ro.build.version.release]: [15]
[ro.build.version.sdk]: [35]
[ro.product.cpu.abi]: [arm64-v8a]
[ro.product.manufacturer]: [Fake]
[ro.product.model]: [Phone {number}]
[ro.soc.manufacturer]: [Nobody]
[ro.soc.model]: [N1]
"""
_BATTERY = """Current Battery Service state:
  AC powered: false
  USB powered: true
  level: 81
  scale: 100
  voltage: 4123
  temperature: {tenths}
  technology: Li-ion
"""


@dataclass
class FakePhone:
    """One phone; its state can be changed while it runs."""

    number: int
    adb: Path
    network: Network
    state: Path
    storage_kb: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def serial(self) -> str:
        return f"127.0.0.1:{6000 + self.number}"

    @property
    def files(self) -> list[str]:
        """What lies in /data/local/tmp."""
        return sorted(path.name for path in (self.state / "tmp").iterdir())

    @property
    def commands(self) -> list[str]:
        """The command lines that its runner got."""
        path = self.state / "commands"
        return path.read_text().splitlines() if path.exists() else []

    def heat(self, status: int, tenths: int = 300) -> None:
        thermal = f"IsStatusOverride: false\nThermalEventListeners:\nThermal Status: {status}\n"
        (self.state / "thermalservice").write_text(thermal)
        (self.state / "battery").write_text(_BATTERY.format(tenths=tenths))

    def switch_on(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        (self.state / "properties").write_text(_PROPERTIES.format(number=self.number))
        self.heat(0)
        words = [*("unshare", "--mount", "--pid", "--fork", "--kill-child"), "sh"]
        words += [str(HERE / "phone.sh"), str(6000 + self.number), str(self.adb), str(self.state)]
        self.process = self.network.start(*words, str(self.storage_kb), log=self.state / "log")
        self.plug_in()

    def plug_in(self) -> None:
        for _ in range(100):
            self.network.adb_says("connect", self.serial)
            if self.network.adb_says("-s", self.serial, "get-state").strip() == "device":
                return
            time.sleep(0.05)
        told = (self.state / "log").read_text().strip()[-300:]
        if "ermission denied" in told or "not permitted" in told:
            pytest.skip(f"no mounts of its own for a phone: {told}")
        raise AssertionError(told)

    def pull_out(self) -> None:
        self.network.adb_says("disconnect", self.serial)

    def at_work(self) -> list[str]:
        """The command lines of what runs on it, without adbd's own."""
        assert self.process is not None
        inside = os.readlink(f"/proc/{self.process.pid}/ns/pid_for_children")
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.readlink(process / "ns/pid") == inside:
                    words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    # Debian's adbd leaves what has ended as zombies, which have no command line.
                    found += [words.strip()] if words and "adbd" not in words else []
        return found


@dataclass
class Network:
    """A network namespace with adb's server in it."""

    folder: Path
    adb: Path
    own: list[str] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """With which `adb` finds this server, and no other."""
        path = f"{self.adb / 'bin'}:{os.environ['PATH']}"
        socket = f"localfilesystem:{self.folder / 'socket'}"
        own = {"HOME": str(self.folder), "TMPDIR": str(self.folder)}
        return {**os.environ, **own, "PATH": path, "ADB_SERVER_SOCKET": socket}

    def start(self, *words: str, log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*self.own, *_WITH_US, *words],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env=self.environment,
            )
        self.processes.append(process)
        return process

    def adb_says(self, *words: str) -> str:
        done = subprocess.run(
            ["adb", *words], env=self.environment, capture_output=True, text=True, timeout=30
        )
        return done.stdout


@contextmanager
def network(folder: Path, adb: Path) -> Iterator[Network]:
    """Yields a network with adb's server; ends everything in it."""
    as_root = [] if os.getuid() == 0 else ["--map-root-user"]
    made = Network(folder, adb)
    script = "ip link set lo up && echo up && exec sleep 600"
    words = ("unshare", "--net", *as_root, *_WITH_US, "sh", "-c", script)
    holder = made.start(*words, log=folder / "network")
    try:
        _until(lambda: "up" in (folder / "network").read_text(), folder / "network")
        user = [] if os.getuid() == 0 else ["--user", "--preserve-credentials"]
        made.own = ["nsenter", "--target", str(holder.pid), "--net", *user]
        socket = folder / "socket"
        made.start(
            "adb", "-L", f"localfilesystem:{socket}", "server", "nodaemon", log=folder / "server"
        )
        _until(socket.exists, folder / "server")
        yield made
    finally:
        for process in reversed(made.processes):
            process.send_signal(signal.SIGKILL)
            process.wait()


def fetch_adb() -> Path:
    """Returns the folder of adb and adbd, made once; the test is skipped where they cannot be had.

    They are Debian trixie's with all their libraries, and run on any Linux beside its own.
    """
    if missing := [name for name in _PROGRAMS if not shutil.which(name)]:
        pytest.skip(f"needs {', '.join(missing)} (of util-linux and iproute2)")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "dermport" / "adb-34"
    if not (folder / "bin" / "adbd").is_file():
        try:
            with replacing_folder(folder) as new:
                unpack_packages(new / "root", "trixie", own_architecture(), _ADB_PACKAGES)
                _write_programs(new)
        except InputError as error:
            pytest.skip(f"Debian's adbd cannot be fetched: {error}")
    return folder


def _write_programs(folder: Path) -> None:
    """Writes bin/adb and bin/adbd, which start those of root/ with its own loader and libraries."""
    root = folder / "root"
    loaders = (*root.glob("usr/lib64/ld-linux-*.so.*"), *root.glob("usr/lib/ld-linux-*.so.*"))
    loader = sorted(loaders)[0].relative_to(root)
    libraries = sorted(root.glob("usr/lib/*-linux-gnu*"))[0].relative_to(root)
    (folder / "bin").mkdir()
    for name in ("adb", "adbd"):
        program = folder / "bin" / name
        program.write_text(
            f"""#!/bin/sh
root=$(dirname "$(dirname "$(readlink -f "$0")")")/root
libraries=$root/{libraries}
exec "$root/{loader}" --library-path "$libraries:$libraries/android" \\
  "$root/usr/lib/android-sdk/platform-tools/{name}" "$@"
"""
        )
        program.chmod(0o755)
    subprocess.run([folder / "bin" / "adb", "version"], check=True, capture_output=True)


def _until(condition: Callable[[], bool], log: Path) -> None:
    for _ in range(200):
        if condition():
            return
        time.sleep(0.02)
    pytest.skip(f"no network namespace or no adb here: {log.read_text().strip()[-200:]}")
