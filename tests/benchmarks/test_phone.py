"""Phones over adb: against the real adbd and the real adb client, without a phone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .fake_phones import RUNNER, FakePhone, Network, fetch_adb, network

Measure = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with network(tmp_path_factory.mktemp("network"), fetch_adb()) as made:
        yield made


@pytest.fixture
def phones(net: Network, tmp_path: Path) -> Iterator[Callable[..., FakePhone]]:
    """Switches phones on; they go when the test ends."""
    made: list[FakePhone] = []

    def switch_on(storage_kb: int = 0) -> FakePhone:
        number = len(made) + 1
        phone = FakePhone(number, net.adb, net, tmp_path / f"phone{number}", storage_kb)
        made.append(phone)
        phone.switch_on()
        return phone

    yield switch_on
    for phone in made:
        phone.pull_out()
        if phone.process is not None:
            phone.process.kill()
            phone.process.wait()


def _words(*words: str) -> list[str]:
    quick = ["--runner", str(RUNNER), "--runs", "7", "--seconds", "1", "--threads", "1"]
    return [sys.executable, "-m", "benchmarks", "phone", *words, *quick]


@pytest.fixture
def measure(net: Network) -> Measure:
    """Runs the verb with words appended to quick settings."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            _words(*words), env=net.environment, capture_output=True, text=True, timeout=60
        )

    return run


def _model(folder: Path, name: str, kind: str = "good") -> str:
    path = folder / name
    path.write_text(kind)
    return str(path)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [row for phone in json.loads(path.read_text())["phones"] for row in phone["rows"]]


def test_every_file_runs_with_every_delegate_and_nothing_stays_on_the_phone(
    phones: Callable[..., FakePhone], measure: Measure, tmp_path: Path
) -> None:
    phone = phones()
    out = tmp_path / "phone.json"
    words = ("--delegate", "cpu", "xnnpack", "gpu", "--json", str(out))
    done = measure(_model(tmp_path, "a.tflite"), _model(tmp_path, "b.tflite"), *words)
    assert done.returncode == 0, done.stderr
    rows = _rows(out)
    ran = [(row["asked"]["file"], row["ran"]["delegate"]) for row in rows]
    assert ran == [(f, d) for f in ("a.tflite", "b.tflite") for d in ("cpu", "xnnpack", "gpu")]
    figures = rows[0]["figures"]
    assert (figures["load"], figures["first"], figures["mean"]) == (12.75, 5.744, 4.0005)
    assert (figures["runs"], figures["p95"], figures["peak_mb"]) == (7, 4.52, 20 * 1.048576)
    assert rows[1]["ran"]["coverage"] == "part of the graph"
    assert rows[0]["before"] == {
        "thermal": 0,
        "battery": 81,
        "celsius": 30.0,
        "megahertz": [1800.0, 2800.0],
    }
    assert "--use_xnnpack=false" in phone.commands[0]
    assert "Fake Phone 1, Nobody N1, Android 15, arm64-v8a" in done.stdout
    assert phone.serial not in out.read_text()
    assert phone.files == []
    assert phone.at_work() == []


def test_names_with_spaces_and_quotes_are_shown_and_never_reach_the_phone(
    phones: Callable[..., FakePhone], measure: Measure, tmp_path: Path
) -> None:
    phone = phones()
    name = 'it\'s; "$(touch x)" `id` ü.tflite'
    done = measure(_model(tmp_path, name), "--delegate", "cpu")
    assert done.returncode == 0, done.stderr
    assert name in done.stdout
    assert phone.commands
    assert not any("touch" in command for command in phone.commands)


def test_phones_are_measured_side_by_side(
    phones: Callable[..., FakePhone], measure: Measure, tmp_path: Path
) -> None:
    both = [phones(), phones()]
    out = tmp_path / "phone.json"
    models = [_model(tmp_path, f"{n}.tflite", "slow") for n in range(2)]
    done = measure(*models, "--delegate", "cpu", "--json", str(out))
    assert done.returncode == 0, done.stderr
    began = [list(map(int, (phone.state / "began").read_text().split())) for phone in both]
    assert max(first for first, _ in began) < min(second for _, second in began)
    assert [len(phone["rows"]) for phone in json.loads(out.read_text())["phones"]] == [2, 2]
    assert all(len(phone.commands) == 2 for phone in both)
    only = measure(models[0], "--delegate", "cpu", "--device", both[1].serial)
    assert "Phone 2" in only.stdout
    assert "Phone 1" not in only.stdout


def test_two_measurements_do_not_share_a_record(
    phones: Callable[..., FakePhone], measure: Measure, net: Network, tmp_path: Path
) -> None:
    """Of one phone each: the second would write the file without the first's rows."""
    both, out = [phones(), phones()], tmp_path / "phone.json"
    words = (_model(tmp_path, "a.tflite", "slow"), "--delegate", "cpu", "--json", str(out))
    with subprocess.Popen(
        _words(*words, "--device", both[0].serial), env=net.environment
    ) as process:
        _until(lambda: bool(both[0].commands))
        second = measure(*words, "--device", both[1].serial)
        process.communicate(timeout=30)
    assert (process.returncode, second.returncode) == (0, 2)
    assert f"{out}: another measurement keeps its results there" in second.stderr
    assert both[1].commands == []
    later = measure(*words, "--device", both[1].serial, "--resume")
    assert later.returncode == 0, later.stderr
    assert [len(phone["rows"]) for phone in json.loads(out.read_text())["phones"]] == [1, 1]
    assert not list(tmp_path.glob(".*.lock"))


def test_a_pulled_cable_keeps_what_is_done_and_resume_goes_on(
    phones: Callable[..., FakePhone], measure: Measure, net: Network, tmp_path: Path
) -> None:
    phone, out = phones(), tmp_path / "phone.json"
    models = [_model(tmp_path, "a.tflite"), _model(tmp_path, "b.tflite", "slow")]
    words = (*models, "--delegate", "cpu", "--json", str(out))
    with subprocess.Popen(
        _words(*words), env=net.environment, stderr=subprocess.PIPE, text=True
    ) as process:
        _until(lambda: len(phone.commands) == 2)
        phone.pull_out()
        shown = process.communicate(timeout=30)[1]
    assert process.returncode == 1
    assert "went away" in shown
    assert "--resume" in shown
    assert [row["asked"]["file"] for row in _rows(out)] == ["a.tflite"]
    first = _rows(out)[0]

    phone.plug_in()
    forgot = measure(*words)
    assert forgot.returncode == 2
    assert "--resume" in forgot.stderr
    other = measure(*words, "--resume", "--battery", "39")
    assert other.returncode == 2
    assert "cool_down.celsius: 38.0, now 39.0" in other.stderr

    assert len(phone.commands) == 2
    done = measure(*words, "--resume")
    assert done.returncode == 0, done.stderr
    assert len(phone.commands) == 3
    assert [row["asked"]["file"] for row in _rows(out)] == ["a.tflite", "b.tflite"]
    assert _rows(out)[0] == first
    assert phone.files == []


def test_a_hanging_runner_ends_on_a_phone_whose_cable_is_out(
    phones: Callable[..., FakePhone], net: Network, tmp_path: Path
) -> None:
    phone = phones()
    words = _words(_model(tmp_path, "a.tflite", "hang"), "--delegate", "cpu", "--limit", "2s")
    with subprocess.Popen(words, env=net.environment, stderr=subprocess.PIPE) as process:
        _until(lambda: bool(phone.commands))
        phone.pull_out()
        assert any("sleep 1000" in words for words in phone.at_work())
        process.communicate(timeout=30)
    _until(lambda: phone.at_work() == [])


def test_a_phone_is_measured_once_at_a_time_and_resume_knows_its_system(
    phones: Callable[..., FakePhone], measure: Measure, net: Network, tmp_path: Path
) -> None:
    phone, out = phones(), tmp_path / "phone.json"
    words = (_model(tmp_path, "a.tflite", "slow"), "--delegate", "cpu", "--json", str(out))
    with subprocess.Popen(_words(*words), env=net.environment) as process:
        _until(lambda: bool(phone.commands))
        second = measure(words[0])
        process.communicate(timeout=30)
    assert second.returncode == 2
    assert "another measurement runs" in second.stderr
    properties = phone.state / "properties"
    properties.write_text(properties.read_text().replace("AP4A", "BP1A"))
    updated = measure(*words, "--resume")
    assert updated.returncode == 2
    assert "build: AP4A.250105.002, now BP1A.250105.002" in updated.stderr


def test_a_full_storage_is_a_fault_of_that_file_alone(
    phones: Callable[..., FakePhone], measure: Measure, tmp_path: Path
) -> None:
    phones(storage_kb=64)
    big, small = tmp_path / "big.tflite", _model(tmp_path, "small.tflite")
    big.write_bytes(b"good" * 100_000)
    out = tmp_path / "phone.json"
    done = measure(str(big), small, "--delegate", "cpu", "--json", str(out))
    assert done.returncode == 1
    assert "storage is full: no room for 0.40 MB" in done.stderr
    assert [row["fault"] == "" for row in _rows(out)] == [False, True]


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("hang", "it hung and was ended after 2 s"),
        ("crash", "it ended with SIGSEGV"),
        ("flood", "it printed more than 1.0 MB"),
        ("lie-nan", "its time Inference cannot be: 'nan'"),
        ("lie-long", "its times add up to 699.3 s, but it was over after"),
        ("lie-mean", "contradicts its statistics"),
    ],
)
def test_a_runner_that_fails_or_lies_is_a_row_and_nothing_else_is_lost(
    phones: Callable[..., FakePhone], measure: Measure, tmp_path: Path, kind: str, fault: str
) -> None:
    phone, out = phones(), tmp_path / "phone.json"
    models = [_model(tmp_path, "bad.tflite", kind), _model(tmp_path, "good.tflite")]
    done = measure(*models, "--delegate", "cpu", "--limit", "2s", "--json", str(out))
    assert done.returncode == 1
    bad, good = _rows(out)
    assert fault in bad["fault"]
    assert bad["figures"] is None
    assert good["fault"] == ""
    assert phone.at_work() == []
    assert phone.files == []


def test_what_a_runner_leaves_running_does_not_disturb_the_next_run(
    phones: Callable[..., FakePhone], measure: Measure, tmp_path: Path
) -> None:
    phone = phones()
    models = [_model(tmp_path, "a.tflite", "child"), _model(tmp_path, "b.tflite")]
    done = measure(*models, "--delegate", "cpu")
    assert done.returncode == 0, done.stderr
    assert (phone.state / "neighbours").read_text().split() == ["0", "0"]


def test_a_gpu_that_was_asked_for_and_did_not_run_is_shown(
    phones: Callable[..., FakePhone], measure: Measure, tmp_path: Path
) -> None:
    phones()
    out = tmp_path / "phone.json"
    done = measure(_model(tmp_path, "a.tflite", "nogpu"), "--delegate", "gpu", "--json", str(out))
    assert _rows(out)[0]["ran"] == {"delegate": "xnnpack", "coverage": "not told"}
    assert "asked for gpu; what ran: xnnpack" in done.stderr


def test_a_warm_phone_is_waited_for(
    phones: Callable[..., FakePhone], measure: Measure, net: Network, tmp_path: Path
) -> None:
    phone, out = phones(), tmp_path / "phone.json"
    phone.heat(2, 412)
    words = _words(_model(tmp_path, "a.tflite"), "--delegate", "cpu", "--json", str(out))
    with subprocess.Popen(words, env=net.environment, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(2)
        assert phone.commands == []
        phone.heat(0, 371)
        shown = process.communicate(timeout=30)[1]
    assert "cooling down, thermal status moderate, battery 41.2 °C" in shown
    row = _rows(out)[0]
    assert row["cool"] is True
    assert row["waited_s"] > 1
    assert row["before"]["celsius"] == 37.1

    phone.heat(3)
    done = measure(_model(tmp_path, "a.tflite"), "--delegate", "cpu", "--cool-down", "1s")
    assert done.returncode == 0
    assert "began warm" in done.stderr


def test_an_interruption_tidies_up_the_phone(
    phones: Callable[..., FakePhone], net: Network, tmp_path: Path
) -> None:
    phone = phones()
    words = _words(_model(tmp_path, "a.tflite", "hang"), "--delegate", "cpu")
    with subprocess.Popen(words, env=net.environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            _until(lambda: bool(phone.commands))
            process.terminate()  # a shell's background jobs do not hear a SIGINT
            shown = process.communicate(timeout=30)[1]
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Traceback" not in shown
    assert phone.files == []
    assert phone.at_work() == []


def test_a_phone_that_did_not_allow_this_computer_is_told_what_to_tap(
    net: Network, measure: Measure, tmp_path: Path
) -> None:
    fake = Path(__file__).parent / "adb" / "unauthorized.py"
    process = net.start(sys.executable, str(fake), "6100", log=tmp_path / "unauthorized")
    serial = "127.0.0.1:6100"
    try:
        _until(lambda: net.adb_says("connect", serial) != "" and serial in net.adb_says("devices"))
        done = measure(_model(tmp_path, "a.tflite"), "--delegate", "cpu")
    finally:
        net.adb_says("disconnect", serial)
        process.kill()
    assert done.returncode == 2
    assert f"{serial} is unauthorized" in done.stderr
    assert "tap Allow" in done.stderr


def test_no_phone_and_no_adb_are_told_plainly(
    net: Network, measure: Measure, tmp_path: Path
) -> None:
    none = measure(_model(tmp_path, "a.tflite"))
    assert none.returncode == 2
    assert "no phone is connected" in none.stderr
    env = {k: v for k, v in net.environment.items() if not k.startswith("ANDROID")}
    words = _words(_model(tmp_path, "a.tflite"))
    done = subprocess.run(words, env={**env, "PATH": "/nowhere"}, capture_output=True, text=True)
    assert done.returncode == 2
    assert "apt install adb" in done.stderr


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
