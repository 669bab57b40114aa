"""The console: exit codes that mean something, plain output in a pipe."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from runtimes.console import Verb, progress, run_program, table
from runtimes.dependencies import STAGES
from runtimes.errors import GateError, InputError

ROOT = Path(__file__).parents[2]


def _program(run: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> tuple[Verb, ...]:
    module = types.ModuleType("one_verb")
    module.__doc__ = "Does one thing."
    module.add_arguments = lambda parser: None  # type: ignore[attr-defined]
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "one_verb", module)
    return (Verb("one", "does one thing", "one_verb"),)


@pytest.mark.parametrize(
    ("error", "code"),
    [(InputError("no such file"), 2), (GateError("too far"), 1), (KeyboardInterrupt(), 130)],
)
def test_errors_become_a_line_and_an_exit_code(
    error: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(args: object) -> None:
        raise error

    assert run_program("p", "", _program(run, monkeypatch), ["one"]) == code
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert "Traceback" not in shown
    assert "\033[" not in shown


@pytest.mark.parametrize(("package", "code"), [("no_such_package", 2), ("pytest", 3)])
def test_a_missing_package_names_the_command_that_installs_its_group(
    package: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(STAGES, "train", ((package, package),))

    def run(args: object) -> None:
        raise ModuleNotFoundError(f"No module named '{package}.part'", name=f"{package}.part")

    assert run_program("p", "", _program(run, monkeypatch), ["one"]) == code
    assert ("'.[train]'" in capsys.readouterr().err) == (code == 2)


def test_other_modules_are_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    verbs = (*_program(lambda args: 0, monkeypatch), Verb("two", "", "no.such.module"))
    assert run_program("p", "", verbs, ["one"]) == 0


def test_table_sets_numbers_right_and_words_left() -> None:
    lines = table(["name", "value"], [("a", 1.5), ("long", 22)]).splitlines()
    assert lines == ["name  value", "----  -----", "a       1.5", "long     22"]


def test_a_reader_that_went_away_stops_no_work(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom runtimes.console import say\nsay('first')\ntime.sleep(1)\n"
        "say('second')\nopen(sys.argv[1], 'w').write('written')\nsys.exit(1)"
    )
    written = tmp_path / "result"
    program = subprocess.Popen(
        [sys.executable, "-c", code, str(written)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    assert program.stdout is not None
    assert program.stderr is not None
    assert program.stdout.readline() == b"first\n"
    program.stdout.close()
    assert program.wait(60) == 1
    assert program.stderr.read() == b""
    assert written.read_text() == "written"


def test_progress_in_a_pipe_tells_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr("runtimes.console.time.monotonic", lambda: float(next(clock)))
    with progress("counting", 4) as bar:
        for _ in range(4):
            bar.advance()
    shown = capsys.readouterr().err
    assert "counting: " in shown
    assert "min left" in shown
    assert "\033[" not in shown


def test_a_fault_of_the_program_is_not_taken_for_a_failed_gate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(args: object) -> None:
        raise ZeroDivisionError("division by zero")

    assert run_program("p", "", _program(run, monkeypatch), ["one"]) == 3
    assert "--debug" in capsys.readouterr().err
