"""Every command explains itself, quickly."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAMS = ("distill", "export", "runtimes", "benchmarks", "android_demo.check")


def _help(*words: str) -> tuple[str, float]:
    """The text, and the processor time it took, which other work on the machine hardly changes."""
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-m", *words, "--help"], capture_output=True, text=True, timeout=60
    )
    after = os.times()
    assert done.returncode == 0, done.stderr
    spent = after.children_user + after.children_system
    return done.stdout, spent - before.children_user - before.children_system


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_verb_has_help_with_examples_and_imports_nothing_heavy(program: str) -> None:
    text, _ = _help(program)
    verbs = re.findall(r"^    ([a-z-]+) ", text, re.MULTILINE)
    assert verbs
    for verb in verbs:
        shown, _ = _help(program, verb)
        assert f"python -m {program} {verb}" in shown, verb
        assert "exit code" in shown, verb
        script = (
            "import sys, runpy; sys.argv = ['x', sys.argv[1], '--help']\n"
            f"try: runpy.run_module('{program}', run_name='__main__')\n"
            "except SystemExit: pass\n"
            "heavy = {'torch', 'onnx', 'coremltools', 'sklearn', 'matplotlib', 'litert_torch'}\n"
            "print('heavy:', heavy & set(sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", script, verb], capture_output=True, text=True)
        assert "heavy: set()" in done.stdout, (verb, done.stdout[-200:])


def test_help_says_what_an_option_is_when_it_is_not_given() -> None:
    shown, _ = _help("export", "finetune")
    assert "of all draws (default: 0)" in shown
    assert "auto, cpu or cuda (default: auto)" in shown
    assert "go on with an unfinished fine-tuning\n" in shown


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_of_every_verb_takes_less_than_a_second(program: str) -> None:
    text, _ = _help(program)
    for verb in ("", *re.findall(r"^    ([a-z-]+) ", text, re.MULTILINE)):
        words = [verb] if verb else []
        assert min(_help(program, *words)[1] for _ in range(2)) < 1.0, verb


def test_unknown_verb_is_an_error_that_lists_the_verbs() -> None:
    words = [sys.executable, "-m", "distill", "trian"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2
    assert "train" in done.stderr


def test_a_terminated_command_leaves_nothing_half_written(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "distill", "sample", str(tmp_path / "sample")]
    words += ["--per-class", "2000"]  # not done before it is terminated
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        try:
            for _ in range(3000):
                if any(tmp_path.iterdir()) or process.poll() is not None:
                    break
                time.sleep(0.02)
            assert any(tmp_path.iterdir())
            process.terminate()
            shown = process.communicate(timeout=60)[1]
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Traceback" not in shown
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("distill", "index", ""), "the path is empty"),
        (("distill", "index", ".", "--seed", "9" * 30), "is no seed"),
        (("distill", "train", "no_kd", "--data", ".", "--time-budget", "5"), "is no time"),
        (("runtimes", "show", "x" * 300 + ".onnx"), "File name too long"),
    ],
)
def test_a_wrong_word_is_bad_input(words: tuple[str, ...], fault: str) -> None:
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True)
    assert done.returncode == 2
    assert fault in done.stderr
    assert "Traceback" not in done.stderr


def test_nobody_reading_the_progress_does_not_stop_the_work(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    words = [sys.executable, "-m", "distill", "sample", str(tmp_path / "sample")]
    words += ["--per-class", "2000"]  # not done before it is terminated
    done = subprocess.run([*words, "--per-class", "8"], stdout=write, stderr=write)
    os.close(write)
    assert done.returncode == 0
    assert (tmp_path / "sample" / "labels.csv").is_file()
