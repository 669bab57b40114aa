"""What stands beside the times: coverage, targets, preprocessing, machine, operators."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.commands import operators as command
from benchmarks.latency.files import LITERT, TimedFile, find_files
from benchmarks.latency.machine import NOT_READABLE, describe_machine, read_state
from benchmarks.latency.opening import open_alone
from benchmarks.latency.operators import profile_file
from benchmarks.latency.preprocessing import PHOTO_SIZE, make_photo, time_preprocessing
from benchmarks.latency.targets import GOOGLE, judge
from runtimes.console import Verb, run_program
from runtimes.contract import Calibration, Contract, Label, Preprocessing, Training
from runtimes.errors import InputError
from runtimes.preprocess import load_image

from .tiny_models import write_onnx, write_tflite

VERB = (Verb("operators", "", command.__name__),)
CONTRACT = Contract(
    name="x",
    labels=(Label("A", "a"), Label("B", "b")),
    preprocessing=Preprocessing(True, "none", 112, 224, "bilinear", True),
    calibration=Calibration(1.0, 0.0, 0.95, {}),
    training=Training("no_kd", "mobilenet_v2", None, "x", True, 1, "lesion", "0" * 64, 0, {}),
    license="Apache-2.0",
    intended_use="tests",
)


def test_what_xnnpack_leaves_is_counted_and_named(shared: Path) -> None:
    models = shared / "reference_models"
    names = ("mlperftiny_vww_96_int8.tflite", GOOGLE)
    files = find_files([models / name for name in names])
    tiny, google = open_alone(files, 1, 8 << 30).values()
    assert not isinstance(tiny, str)
    assert not isinstance(google, str)
    assert tiny.back_end.ran == "XNNPACK 29/31 operators, 2 partitions"
    assert tiny.back_end.left == {"AVERAGE_POOL_2D": 1, "SOFTMAX": 1}
    assert tiny.back_end.asked == "XNNPACK"
    assert (google.back_end.covered, google.back_end.operators) == (65, 68)
    assert google.contract is None


def _file(name: str, form: str = "", folder: str = "a") -> TimedFile:
    return TimedFile(name, Path(folder, name), LITERT, form, not form, 1, "0" * 64)


def test_targets_compare_the_pairs_that_are_there() -> None:
    files = [_file("f", "tflite:fp32"), _file("i", "tflite:int8"), _file(GOOGLE, folder="b")]
    files.append(_file("other", "tflite:fp32", folder="c"))
    noise = np.random.default_rng(0).normal(1, 0.01, (4, 200))
    times = {"f": noise[0], "i": 0.45 * noise[1], GOOGLE: 0.45 * noise[2], "other": noise[3]}
    contracts = {"f": CONTRACT, "i": CONTRACT, GOOGLE: None, "other": CONTRACT}
    reached, missed = judge(files, contracts, times, threads=1)
    assert (reached.word, reached.ratio.base, reached.limit) == ("reached", "f", 0.48)
    assert (missed.word, missed.ratio.base, missed.limit) == ("missed", GOOGLE, 0.90)
    edge = {**times, "i": 0.48 * noise[1]}
    assert judge(files, contracts, edge, threads=1)[0].word == "open"
    assert judge(files, contracts, times, threads=2) == ()
    training = replace(CONTRACT.training, student="efficientnet_b0")
    others = dict.fromkeys(contracts, replace(CONTRACT, training=training))
    assert judge(files, others, times, threads=1) == ()


def test_the_photo_is_one_and_decoding_and_resizing_are_timed_apart() -> None:
    photo = make_photo()
    assert photo == make_photo()
    image = load_image(photo)
    assert image.size == PHOTO_SIZE
    assert 50_000 < len(photo) < 1_000_000
    found = time_preprocessing(CONTRACT.preprocessing)
    assert found.decode > 0
    assert found.resize > 0
    assert found.p50 <= found.p90
    smaller = replace(CONTRACT.preprocessing, size=8, effective_resolution=8)
    assert time_preprocessing(smaller).resize > 0


def test_machine_and_state_are_read_from_the_system(tmp_path: Path) -> None:
    for name, text in {
        "proc/cpuinfo": "model name\t: A 9\nflags\t\t: fpu avx2 avx512_vnni hypervisor\n\nx: y\n",
        "proc/meminfo": "MemTotal:       1024 kB\n",
        "proc/stat": "cpu  1 2 3 4 5 6 7 800 0 0\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1800000\n",
        "sys/class/thermal/thermal_zone0/type": "soc\n",
        "sys/class/thermal/thermal_zone0/temp": "41500\n",
        "sys/class/hwmon/hwmon1/name": "k10temp\n",
        "sys/class/hwmon/hwmon1/temp1_input": "52000\n",
        "sys/class/hwmon/hwmon1/temp1_label": "Tctl\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    machine, state = describe_machine(tmp_path), read_state(tmp_path)
    assert (machine.processor, machine.flags) == ("A 9", ("avx2", "avx512_vnni"))
    assert (machine.governor, machine.memory_bytes, machine.virtual) == ("powersave", 2**20, True)
    assert state.megahertz == (1800.0,)
    assert state.temperatures == {"thermal_zone0 soc": 41.5, "hwmon1 k10temp temp1 Tctl": 52.0}
    assert state.stolen is not None
    assert state.stolen > 0


def test_what_the_system_does_not_tell_is_said_to_be_not_readable(tmp_path: Path) -> None:
    state = read_state(tmp_path)
    assert (state.temperatures, state.megahertz) == (NOT_READABLE, NOT_READABLE)
    assert describe_machine(tmp_path).governor == NOT_READABLE


def test_a_childs_peak_memory_is_not_that_of_the_process_that_started_it() -> None:
    held = np.ones(40_000_000)  # 320 MB
    script = "from benchmarks.memory import peak_memory; print(peak_memory())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert 0 < int(done.stdout) < held.nbytes / 2


def test_operators_are_those_that_the_runtimes_carry_out(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="needs the tflite group")
    pytest.importorskip("onnxruntime", reason="needs the onnx group")
    paths = [write_tflite(tmp_path / "a.tflite", 96), write_onnx(tmp_path / "a.onnx", 96)]
    for file, kind in zip(find_files(paths), ("Convolution", "Conv"), strict=True):
        found = profile_file(file, threads=1, runs=5)
        assert any(operator.kind.startswith(kind) for operator in found.operators)
        total = sum(operator.milliseconds for operator in found.operators)
        assert 0 < total <= 1.5 * found.whole_ms
        counted = sum(count for _, count, _ in found.by_kind())
        assert counted == len(found.operators)
        assert sum(time for *_, time in found.by_kind()) == pytest.approx(total)


def test_operators_inside_a_delegate_and_outside_are_both_seen(shared: Path) -> None:
    files = find_files([shared / "reference_models" / "mlperftiny_vww_96_int8.tflite"])
    kinds = {kind: count for kind, count, _ in profile_file(files[0], 1, 3).by_kind()}
    assert sum(count for kind, count in kinds.items() if "QC8" in kind) == 28
    assert kinds["SOFTMAX"] == 1


def test_a_file_that_cannot_be_profiled_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = write_tflite(tmp_path / "bad.tflite", graph=False)
    with pytest.raises(InputError, match=r"bad\.tflite"):
        profile_file(find_files([bad])[0], threads=1, runs=1)
    out = tmp_path / "o.json"
    good = write_onnx(tmp_path / "good.onnx")
    words = ["operators", str(bad), str(good), "--runs", "3", "--json", str(out)]
    assert run_program("benchmarks", "", VERB, words) == 1
    said = capsys.readouterr()
    assert "good.onnx: " in said.out
    assert "bad.tflite: it cannot be profiled" in said.err
    assert json.loads(out.read_text())["files"][0]["operators"]
    assert run_program("benchmarks", "", VERB, [*words, "--runs", "0"]) == 2
