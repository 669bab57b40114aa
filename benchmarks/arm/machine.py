"""An ARM processor under emulation, with a Python and the runtimes' own builds for it.

QEMU and an arm64 Python come from Debian's packages, the runtimes from their wheels for aarch64;
all are unpacked into one folder, and nothing is installed on the system. Emulation tells what the
ARM kernels answer, and nothing about their speed.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.debian import missing_tools, unpack_packages
from runtimes.atomic import replacing_folder
from runtimes.console import note
from runtimes.errors import InputError

CPUS = ("cortex-a53", "cortex-a76")
_QEMU_SUITE, _PYTHON_SUITE = "trixie", "bookworm"  # bookworm's QEMU 7.2 crashes
_ARM_PACKAGES = (
    *("libc6", "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib"),
    *("libexpat1", "zlib1g", "libssl3", "libffi8", "libstdc++6", "libgcc-s1"),
    *("libbz2-1.0", "liblzma5", "libuuid1", "libcrypt1"),
)
_WHEELS = ("ai-edge-litert", "onnxruntime", "numpy", "flatbuffers", "protobuf")
_PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")
_DONE = "versions.txt"
_PARTS = {"qemu", "system", "packages", _DONE}


@dataclass(frozen=True)
class ArmMachine:
    """Where QEMU, the arm64 system and the packages lie."""

    folder: Path

    def python(self, cpu: str) -> list[str]:
        """The command of the arm64 Python on a processor such as "cortex-a53"."""
        system = self.folder / "system"
        qemu = self.folder / "qemu" / "usr" / "bin" / "qemu-aarch64"
        return [str(qemu), "-cpu", cpu, "-L", str(system), str(system / "usr/bin/python3.11")]

    def check_cpus(self, cpus: Sequence[str]) -> None:
        """Checks that QEMU knows these processors.

        Raises:
            InputError: it does not know one.
        """
        words = self.python("help")[:3]  # with which it lists them, and ends as if it had failed
        told = subprocess.run(words, capture_output=True, text=True, check=False).stdout
        known = [line.strip() for line in told.splitlines() if line.startswith(" ")]
        unknown = [cpu for cpu in cpus if cpu not in known]
        if known and unknown:  # an emulator that lists none fails by itself, and says how
            raise InputError(
                f"--cpu {unknown[0]}: QEMU emulates no such ARM processor of 64 bits; it knows "
                f"{', '.join(known)}."
            )

    def environment(self) -> dict[str, str]:
        """What the arm64 Python needs to find its library and the packages."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        system = self.folder / "system"
        return {
            **kept,
            "PYTHONHOME": str(system / "usr"),
            "PYTHONPATH": str(self.folder / "packages"),
        }


def obstacle() -> str:
    """Says what keeps this system from emulating, in words; "" if nothing does."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return f"it needs Linux on x86-64, this is {sys.platform} on {platform.machine()}"
    return missing_tools()


def arm_machine(folder: Path) -> ArmMachine:
    """Returns the machine of a folder; fetches it where it is not there yet, about 250 MB.

    Raises:
        InputError: this system has no means to, a package cannot be fetched, or the folder holds
            something else.
    """
    if (reason := obstacle()) != "":
        raise InputError(f"no ARM emulation here: {reason}.")
    wanted = _wanted()
    if _versions(folder) == wanted:
        return ArmMachine(folder)
    _check_own(folder)
    note(f"fetching QEMU, an arm64 Python and the runtimes for it into {folder}")
    with replacing_folder(folder) as new:
        unpack_packages(new / "qemu", _QEMU_SUITE, "amd64", ("qemu-user",))
        unpack_packages(new / "system", _PYTHON_SUITE, "arm64", _ARM_PACKAGES)
        for other in (new / "qemu" / "usr" / "bin").iterdir():
            if other.name != "qemu-aarch64":
                other.unlink()
        _fetch_wheels(new, wanted)
        (new / _DONE).write_text("\n".join(wanted) + "\n", encoding="utf-8")
    return ArmMachine(folder)


def _check_own(folder: Path) -> None:
    """Checks that there is nothing, or an older machine, where one is put."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder} is not a folder of its own; name a new folder.")
    found = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    foreign = sorted(found - _PARTS)
    if foreign or (found and _DONE not in found):
        what = foreign[0] if foreign else f"no {_DONE}"
        raise InputError(
            f"{folder} holds something else ({what}), and would be replaced as a whole. Name a new "
            "folder."
        )


def _wanted() -> list[str]:
    return [f"{name}=={version(name)}" for name in _WHEELS]


def _versions(folder: Path) -> list[str]:
    path = folder / _DONE
    return path.read_text(encoding="utf-8").split() if path.is_file() else []


def _fetch_wheels(folder: Path, wanted: Sequence[str]) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command += ["--no-deps", "--only-binary=:all:", "--python-version", "311"]
    command += [word for each in _PLATFORMS for word in ("--platform", each)]
    (folder / "wheels").mkdir()
    _run([*command, "--dest", "wheels", *wanted], folder, os.environ)
    for wheel in sorted((folder / "wheels").glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:  # pip checked it against the index; no `..` passes
            archive.extractall(folder / "packages")
    shutil.rmtree(folder / "wheels")


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=dict(environment), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputError(
            f"`{' '.join(command[:3])} …` failed ({reason[:300]}). Check the network and the free "
            "space, and run the same command again."
        )
