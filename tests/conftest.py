"""What every test may ask for; one thread per test process, set before torch is imported."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

# Two test processes with a thread pool each are slower than two with one thread, and sums in one
# thread come out the same on every run.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real images and models beside the checkout; the test is skipped without it."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs ../shared, which is not here")
    return folder


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Returns a folder of this name, made by the first test process that asks for it.

    The others wait for it and read the same; no test may write into it.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # of all processes of this run

    def folder(name: str, make: Callable[[Path], None]) -> Path:
        place, done = root / name, root / f"{name}.done"
        with FileLock(root / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(place, ignore_errors=True)  # of one whose making failed
                place.mkdir()
                make(place)
                done.touch()
        return place

    return folder
