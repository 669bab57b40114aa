"""Known remarks of C++ code are left out, everything else is passed on."""

from __future__ import annotations

import contextlib
import os

import pytest

from runtimes.native_stderr import without_remarks


def test_only_the_known_remark_is_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    with without_remarks("INFO: known"):
        os.write(2, b"INFO: known and harmless\nERROR: new\n")
    os.write(2, b"INFO: known, but outside\n")
    assert capfd.readouterr().err == "ERROR: new\nINFO: known, but outside\n"


def test_an_error_in_the_block_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(KeyError), without_remarks("INFO"):
        os.write(2, b"before\n")
        raise KeyError
    assert capfd.readouterr().err == "before\n"
