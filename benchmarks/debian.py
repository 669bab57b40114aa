"""Packages of Debian, of any suite and architecture, unpacked into a folder of one's own.

apt works with lists, a cache and settings of its own, so nothing is installed and nothing of the
system changes; the archive's signature is checked as ever.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from runtimes.errors import InputError

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_MIRROR = "http://deb.debian.org/debian"
_PATIENCE_S = 600


def missing_tools() -> str:
    """Says what keeps this system from fetching packages, in words; "" if nothing does."""
    missing = [name for name in ("apt-get", "dpkg") if shutil.which(name) is None]
    if not _KEYRING.is_file():
        missing.append(f"{_KEYRING} (package debian-archive-keyring)")
    return f"it needs Debian's {', '.join(missing)}" if missing else ""


def own_architecture() -> str:
    """Returns what Debian calls this machine's architecture, for example "amd64"."""
    return _run(["dpkg", "--print-architecture"], Path.cwd(), os.environ).strip()


def unpack_packages(folder: Path, suite: str, architecture: str, names: Sequence[str]) -> None:
    """Fetches packages and unpacks them into a folder; what they depend on is not followed.

    The environment variable DEBIAN_MIRROR names another mirror than Debian's own.

    Args:
        folder: is made; it may be there.
        suite: such as "trixie".
        architecture: such as "arm64".
        names: of the packages.

    Raises:
        InputError: this system has no apt, or a package cannot be fetched.
    """
    if missing := missing_tools():
        raise InputError(f"Debian's packages cannot be fetched: {missing}.")
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()  # the commands run in another one
    with tempfile.TemporaryDirectory(prefix="dermport-apt-") as made:
        work = Path(made)
        environment = {**os.environ, "APT_CONFIG": str(_settings(work, suite, architecture))}
        _run(["apt-get", "-qq", "update"], work, environment)
        _run(["apt-get", "-qq", "download", *names], work / "packages", environment)
        for package in sorted((work / "packages").glob("*.deb")):
            _run(["dpkg", "-x", str(package), str(folder)], work, environment)


def _settings(work: Path, suite: str, architecture: str) -> Path:
    """Writes what apt is to use in the place of the system's own; returns the file's path."""
    for place in ("state/lists/partial", "cache/archives/partial", "packages", "parts"):
        (work / place).mkdir(parents=True)
    (work / "status").touch()
    mirror = os.environ.get("DEBIAN_MIRROR") or _MIRROR
    source = f"deb [signed-by={_KEYRING}] {mirror} {suite} main\n"
    (work / "sources.list").write_text(source, encoding="utf-8")
    settings = {
        "Dir::State": work / "state",
        "Dir::State::status": work / "status",
        "Dir::Cache": work / "cache",
        "Dir::Etc::sourcelist": work / "sources.list",
        "Dir::Etc::sourceparts": work / "parts",
        "Dir::Etc::preferencesparts": work / "parts",
        "APT::Architecture": architecture,
        "APT::Sandbox::User": "",
        "APT::Update::Error-Mode": "any",
        "Acquire::Languages": "none",
        "Acquire::Retries": 1,
        "Acquire::http::Timeout": 10,
    }
    lines = [f'{name} "{value}";' for name, value in settings.items()]
    lines.append(f'APT::Architectures {{ "{architecture}"; }};')
    (work / "apt.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return work / "apt.conf"


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    else:
        if done.returncode == 0:
            return done.stdout
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[0]
    raise InputError(
        f"`{' '.join(command[:3])} …` failed ({reason[:300]}). Check the network and the free "
        "space, and run the same command again."
    )
