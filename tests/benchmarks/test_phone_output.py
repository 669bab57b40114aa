"""What phones print, without phones: output of benchmark_model, of Android's services, of adb."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks.phone.benchmark_model import BenchmarkModel
from benchmarks.phone.devices import choose_devices, parse_devices
from benchmarks.phone.facts import parse_properties
from benchmarks.phone.records import Ask
from benchmarks.phone.runner import Amount, Nonsense
from benchmarks.phone.state import parse_state
from runtimes.errors import InputError

HERE = Path(__file__).parent / "adb"
GPU = (HERE / "output_gpu.txt").read_text()  # as recent versions print it
OLD = (HERE / "output_old.txt").read_text()  # as before "INFO:" and percentiles came
ASK, AMOUNT = Ask("a.tflite", 1, "gpu"), Amount(60, 1.0, 300.0)
RUNNER = BenchmarkModel(Path("benchmark_model"), "")


def test_output_of_a_recent_and_of_an_old_benchmark_model_is_read() -> None:
    told = RUNNER.read(GPU, ASK, AMOUNT, 9.0)
    assert (told.ran.delegate, told.ran.coverage) == ("gpu", "whole graph")
    assert told.figures.p50 == pytest.approx(52.1)
    assert (told.figures.runs, told.figures.peak_mb, told.notes) == (60, None, ())
    old = RUNNER.read(OLD, ASK, AMOUNT, 11.0)
    assert old.ran.delegate == "cpu"
    assert (old.figures.mean, old.figures.least, old.figures.deviation) == (8.4, 8.4, 0)
    assert old.notes == (
        "the NNAPI delegate took no part of the graph",
        "this runner does not know --report_peak_memory_footprint=true",
    )


APPLIED = "Explicitly applied GPU delegate, and the model graph will be completely executed"
REPLACED = "Replacing {} out of 70 node(s) with delegate ({}) node, yielding {} partitions"


@pytest.mark.parametrize(
    ("said", "asked", "delegate", "coverage"),
    [
        (APPLIED.replace("completely", "partially"), "gpu", "gpu", "part of the graph"),
        (REPLACED.format(70, "TfLiteGpuDelegateV2", 1), "gpu", "gpu", "whole graph"),
        (REPLACED.format(68, "TfLiteXNNPackDelegate", 2), "gpu", "xnnpack", "part of the graph"),
        (REPLACED.format(70, "Other", 1), "gpu", "Other", "whole graph"),
        ("Created TensorFlow Lite XNNPACK delegate for CPU.", "gpu", "xnnpack", "not told"),
        ("GPU acceleration is unsupported on this platform.", "gpu", "cpu", "not told"),
        ("nothing", "gpu", "not told", "not told"),
        ("nothing", "xnnpack", "not told", "not told"),
        ("nothing", "cpu", "cpu", "not told"),
    ],
)
def test_what_ran_is_what_the_runner_says_and_never_what_was_asked(
    said: str, asked: str, delegate: str, coverage: str
) -> None:
    told = RUNNER.read(GPU.replace(APPLIED, said), Ask("a.tflite", 1, asked), AMOUNT, 9.0)
    assert (told.ran.delegate, told.ran.coverage) == (delegate, coverage)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Inference (avg): 52333", "Inference (avg): inf"),
        ("Inference (avg): 52333", "Inference (avg): -52333"),
        ("Inference (avg): 52333", "Inference (avg): 1e400"),
        ("count=60", "count=0"),
        ("count=60", "count=99999999999"),
        ("min=50440", "min=52110"),
        ("median=52100", "median=1"),
        ("std=1208", "std=nan"),
        ("std=1208", "std=12080000"),
        ("count=5 ", "count=5000 "),
        ("INFO: Inference timings", "INFO: Inference timinqs"),
        ("INFO: Loaded", GPU + "INFO: Loaded"),
    ],
)
def test_numbers_that_cannot_be_are_not_believed(old: str, new: str) -> None:
    assert old in GPU
    with pytest.raises(Nonsense):
        RUNNER.read(GPU.replace(old, new), ASK, AMOUNT, 9.0)


LONG_LINE = GPU.replace("count=60 ", "count=60 " + "a" * 900_000)


@pytest.mark.parametrize(
    "line", [LONG_LINE, "\n", "a", "count=1 ", "count=" + "a" * 99, " \t", "[a]: [", "="]
)
def test_endless_output_is_read_in_no_time(line: str) -> None:
    flood = line * (1_000_000 // len(line))
    began = time.process_time()
    with pytest.raises(Nonsense):
        RUNNER.read(flood, ASK, AMOUNT, 9.0)
    parse_state(flood)
    parse_properties(flood)
    assert time.process_time() - began < 2


def test_thermal_status_and_battery_are_read_and_impossible_values_are_not_told() -> None:
    services = (
        "IsStatusOverride: false\nThermal Status: 2\nCached temperatures:\n\ndermport-part\n"
        "  level: {level}\n  temperature: {tenths}\n\ndermport-part\n1803000\n99\nx\n2850000"
    )
    state = parse_state(services.format(level=81, tenths=-12))
    assert (state.thermal, state.battery, state.celsius) == (2, 81, -1.2)
    assert state.megahertz == (1803.0, 2850.0)
    lies = parse_state(services.format(level=900, tenths=99999).replace("Status: 2", "Status: 9"))
    assert (lies.thermal, lies.battery, lies.celsius) == (None, None, None)


def test_control_characters_of_a_phone_do_not_reach_the_terminal() -> None:
    facts = parse_properties("[ro.product.model]: [\x1b[31mred\x07" + "x" * 900 + "]\n")
    assert facts.model.startswith("[31mredxxx")
    assert len(facts.model) <= 100
    with pytest.raises(Nonsense) as told:
        RUNNER.read("\x1b[2Jnothing", ASK, AMOUNT, 9.0)
    assert "\x1b" not in str(told.value)


def test_every_state_of_a_device_says_what_to_do() -> None:
    listed = parse_devices(
        "* daemon started successfully\nList of devices attached\n"
        "38211FDJH00123         device usb:1-1 product:shiba model:Pixel_8 transport_id:1\n"
        "R58M               unauthorized usb:1-2 transport_id:2\n"
        "0123               no permissions (user in plugdev group; are your udev rules wrong?)\n"
        "emulator-5554          offline transport_id:3\n\x1b[2J          device\n\n"
    )
    states = ["device", "unauthorized", "no permissions", "offline"]
    assert [device.state for device in listed] == states
    ready, others = choose_devices(listed, [])
    assert [device.serial for device in ready] == ["38211FDJH00123"]
    for device, word in zip(others, ("Allow", "plugdev", "plug it in again"), strict=True):
        assert word in str(device)
    with pytest.raises(InputError, match="tap Allow"):
        choose_devices(listed, ["R58M"])
    with pytest.raises(InputError, match="no phone X is connected; found: 38211"):
        choose_devices(listed, ["X"])


def test_a_runner_for_another_processor_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "benchmark_model"
    path.write_bytes(b"\x7fELF" + bytes(14) + b"\x3e\x00" + bytes(40))  # x86-64
    facts = parse_properties("[ro.product.cpu.abi]: [arm64-v8a]\n")
    with pytest.raises(InputError, match="built for x86_64, and the phone runs arm64-v8a"):
        BenchmarkModel.at(path).check(facts)
