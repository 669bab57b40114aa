"""What every test may ask for; one thread per test process, set before torch is imported."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
