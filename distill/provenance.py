"""Where a result comes from: versions, git commit and machine, without names or paths."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

COMMIT_VARIABLE = "DERMPORT_COMMIT"
_PACKAGES = ("torch", "torchvision", "numpy", "pillow", "scikit-learn", "safetensors")


def provenance(packages: tuple[str, ...] = _PACKAGES) -> dict[str, Any]:
    """Returns versions, commit (with "+changes" where files differ from it) and machine facts."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in packages},
        "git_commit": git_commit(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def git_commit() -> str | None:
    """Returns the commit of the checkout that this code runs from.

    Outside a checkout, as on a machine that only the files were sent to, it is what the environment
    variable DERMPORT_COMMIT says, or None.
    """
    folder = Path(__file__).resolve().parent.parent
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get(COMMIT_VARIABLE) or None
    return f"{commit}+changes" if changes else commit


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
