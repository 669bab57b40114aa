"""A file that ends the process ends only a child process."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtimes.errors import GateError, InputError
from runtimes.probe import check_survives, refusals

HERE = Path("some.tflite")


def test_a_crash_in_the_trial_is_an_error_that_names_file_and_signal() -> None:
    with pytest.raises(InputError, match=r"some\.tflite.*SIGABRT"):
        check_survives(HERE, b"a", "import os; os.abort()", "LiteRT")


def test_an_exception_in_the_trial_is_quoted() -> None:
    with pytest.raises(InputError, match="ValueError: too odd"):
        check_survives(HERE, b"b", "raise ValueError('too odd')", "LiteRT")


def test_a_content_that_has_run_is_not_tried_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f"import sys; open({str(log)!r}, 'ab').write(sys.stdin.buffer.read())"
    for content in (b"c", b"c", b"d", b"c"):
        check_survives(HERE, content, script, "LiteRT")
    assert log.read_bytes() == b"cd"


def test_exceptions_of_a_runtime_become_errors_and_ours_stay_what_they_are() -> None:
    with pytest.raises(InputError, match=r"some\.tflite.*KeyError"), refusals(HERE, "LiteRT"):
        raise KeyError("x")
    with pytest.raises(GateError), refusals(HERE, "LiteRT"):
        raise GateError("outside its tolerance")
