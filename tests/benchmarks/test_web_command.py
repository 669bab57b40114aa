"""The verb as it is typed: what it refuses, what it prints, and how it ends."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from benchmarks.commands import web as command
from benchmarks.web.site import read_export
from runtimes.console import Verb, run_program

from .conftest import Exported
from .web_records import FACTS, answers, ended, result, small_packages

VERB = (Verb("web", "", command.__name__),)


def _refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert run_program("benchmarks", "", VERB, ["web", *map(str, words)]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ((), "ARTIFACTS is missing"),
        (("a", "--runs", "0"), "--runs is 0, expected 1 to 20,000"),
        (("a", "--phones", "21"), "--phones is 21, expected 1 to 20"),
        (("a", "--port", "70000"), "--port is 70000, expected 0 to 65,535"),
        (("a", "--limit", "10s"), "at least twice the 10 s"),
        (("a", "--threads", "1", "1"), "names a value twice"),
        (("a", "--certificate", "c.pem"), "belong together"),
        (("a", "--json", "a.txt"), "does not end in .json"),
        (("a",), "a is no folder"),
    ],
)
def test_wrong_settings_are_named(
    words: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert named in _refused(capsys, *words)


def test_missing_runtimes_and_foreign_addresses_are_named(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ("--folder", tmp_path / "web")
    said = _refused(capsys, exported.artifacts, *folder)
    assert "Fetch them once: python -m benchmarks web --fetch" in said
    small_packages(tmp_path / "web")
    said = _refused(capsys, exported.artifacts, *folder, "--network", "a.local")
    assert "no IPv4 address" in said
    said = _refused(capsys, exported.artifacts, *folder, "--network", "198.51.100.7")
    assert "cannot listen on 198.51.100.7" in said


@contextmanager
def _served(exported: Exported, *words: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The verb in a process, and the address that it prints."""
    line = [sys.executable, "-m", "benchmarks", "web", exported.artifacts, *words]
    process = subprocess.Popen(
        list(map(str, line)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def _post(url: str, name: str, value: dict[str, Any]) -> dict[str, Any]:
    parts = urlsplit(url)
    client = http.client.HTTPConnection(parts.netloc, timeout=30)
    headers = {"Origin": f"http://{parts.netloc}", "Content-Type": "application/json"}
    client.request("POST", parts.path + name, json.dumps(value), headers)
    told: dict[str, Any] = json.loads(client.getresponse().read())
    client.close()
    assert "error" not in told, told
    return told


def _measure(url: str, exported: Exported, number: int, other: bool = False) -> None:
    """Plays a phone that runs the first files."""
    export = read_export(exported.artifacts)
    phone = _post(url, "enter", {"facts": FACTS, "id": None, "again": False})["id"]
    for ask, file in list(enumerate(export.files))[:number]:
        _post(url, "begin", {"id": phone, "ask": ask})
        golden = export.golden[file.format]
        if other:
            golden = type(golden)(np.roll(golden.probabilities, 1, 1), golden.cam, golden.unknown)
        _post(url, "end", ended(phone, ask, result=result(answers=answers(golden))))


def test_it_ends_by_itself_when_the_phones_have_finished(
    exported: Exported, tmp_path: Path
) -> None:
    folder, out = small_packages(tmp_path / "web"), tmp_path / "web.json"
    words = ("--folder", folder, "--phones", 1, "--json", out)
    with _served(exported, *words) as (process, line):
        assert line.startswith("Open on this computer: http://127.0.0.1:")
        _measure(line.split()[-1], exported, 2)
        said, noted = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "ONNX Runtime Web 1.30.0, wasm, SIMD" in said
    assert said.rstrip().endswith(f"wrote {out}")
    assert "0 left" in noted
    assert json.loads(out.read_text())["phones"][0]["finished"] is True


@pytest.mark.parametrize(("number", "other"), [(1, False), (2, True), (0, False)])
def test_interrupted_it_keeps_what_there_is_and_says_what_is_not_right(
    exported: Exported, tmp_path: Path, number: int, other: bool
) -> None:
    folder, out = small_packages(tmp_path / "web"), tmp_path / "web.json"
    with _served(exported, "--folder", folder, "--json", out) as (process, line):
        _measure(line.split()[-1], exported, number, other)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)  # SIGINT is not heard in the background of a shell
        said, noted = process.communicate(timeout=60)
    if not number:
        assert process.returncode == 2
        assert "no phone measured anything" in noted
        assert not out.exists()
        return
    assert process.returncode == 1
    assert f"wrote {out}" in said
    expected = "other answers than at the export" if other else "1 of 2 runs are missing"
    assert expected in noted
    assert len(json.loads(out.read_text())["phones"][0]["rows"]) == number


def test_it_does_not_say_that_it_wrote_what_it_could_not(
    exported: Exported, tmp_path: Path
) -> None:
    folder, out = small_packages(tmp_path / "web"), tmp_path / "new" / "web.json"
    with _served(exported, "--folder", folder, "--json", out) as (process, line):
        out.mkdir()
        _measure(line.split()[-1], exported, 2)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        said, noted = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "ONNX Runtime Web 1.30.0, wasm, SIMD" in said
    assert "wrote" not in said
    assert noted.count("warning: ") == 2
    assert f"error: {out} is a folder" in noted


def test_two_servers_do_not_share_a_record(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = small_packages(tmp_path / "web"), tmp_path / "new" / "web.json"
    words = ("--folder", folder, "--json", out)
    with _served(exported, *words) as (process, _):
        assert "still runs" in _refused(capsys, exported.artifacts, *words)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert not out.parent.exists()
