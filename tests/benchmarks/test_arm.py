"""ARM parity: what counts as the same, where it is skipped, and the real emulator."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import numpy as np
import pytest

from benchmarks.arm.machine import ArmMachine, arm_machine
from benchmarks.arm.parity import _row, compare_arm
from benchmarks.commands import arm as command
from export.formats import select_formats
from runtimes.console import Verb, run_program
from runtimes.errors import InputError

from .conftest import Exported

VERB = (Verb("arm", "", command.__name__),)


def _outputs(seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(8), 2).astype(np.float32)
    cam = generator.normal(size=(2, 7, 7, 8)).astype(np.float32)
    return {"probabilities": probabilities, "cam": cam, "unknown": np.zeros(2, np.float32)}


@pytest.mark.parametrize(
    ("key", "probability", "maps", "passed"),
    [
        ("tflite:int8", 1e-7, 0.0, True),
        ("tflite:int8", 0.0, 1e-3, False),  # less than what one int8 step of the trunk brings
        ("onnx:int8", 1e-5, 0.0, False),
        ("onnx:fp32", 5e-6, 1.0, True),
        ("onnx:fp32", 2e-5, 0.0, False),
        ("onnx:fp16", 1e-2, 0.0, True),
        ("onnx:fp16", float("nan"), 0.0, False),
    ],
)
def test_a_row_is_outside_its_limit_or_not(
    key: str, probability: float, maps: float, passed: bool, tmp_path: Path
) -> None:
    here, there = _outputs(), _outputs()
    there["probabilities"][0, 0] += np.float32(probability)
    there["cam"][0, 0, 0, 0] += np.float32(maps)
    path = tmp_path / "a.tflite"
    path.touch()
    (form,) = select_formats([key])
    row = _row(path, form, here, there, "cortex-a53", "LiteRT")
    assert row.passed == passed
    lost = _row(path, form, here, "it crashed", "cortex-a53", "LiteRT")
    assert not lost.passed
    assert str(lost) == "a.tflite on cortex-a53: it crashed"


def test_elsewhere_it_is_skipped_with_a_reason(
    exported: Exported, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert run_program("benchmarks", "", VERB, ["arm", str(exported.artifacts)]) == 0
    assert "skipped: it needs Linux on x86-64" in capsys.readouterr().err
    with pytest.raises(InputError, match="no ARM emulation here"):
        arm_machine(Path("nowhere"))


def test_what_is_no_emulator_is_not_replaced_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.arm.machine.obstacle", str)
    thesis, folder = tmp_path / "thesis.txt", tmp_path / "work"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    thesis.write_text("mine")
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    for place in (thesis, tmp_path / "link", folder, Path("."), Path("")):
        with pytest.raises(InputError, match="a new folder"):
            arm_machine(place)
    (folder / "versions.txt").write_text("numpy==1")  # as an older emulator has it
    with pytest.raises(InputError, match=r"holds something else \(notes\.txt\)"):
        arm_machine(folder)
    assert thesis.read_text() == (folder / "notes.txt").read_text() == "mine"


def test_no_more_golden_images_are_told_than_there_are(exported: Exported, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--images is 99, but .* has \d+ golden images"):
        compare_arm(exported.artifacts, ArmMachine(tmp_path), ["cortex-a53"], 99)


@pytest.mark.slow
def test_emulated_arm_gives_the_answers_of_x86(
    exported: Exported, machine: ArmMachine, tmp_path: Path
) -> None:
    out, folder = tmp_path / "arm.json", machine.folder
    words = ["arm", str(exported.artifacts), "--folder", str(folder), "--images", "1"]
    assert run_program("benchmarks", "", VERB, [*words, "--json", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert {(row["format"], row["cpu"]) for row in rows} == {
        (form, cpu) for form in ("onnx:fp32", "onnx:int8") for cpu in ("cortex-a53", "cortex-a76")
    }
    assert all(row["passed"] and row["first"] is None for row in rows)
    assert arm_machine(folder).folder == folder  # is there, so nothing is fetched again
    machine.check_cpus(["cortex-a76"])
    with pytest.raises(InputError, match=r"--cpu pentium: .* it knows .*cortex-a53"):
        machine.check_cpus(["cortex-a53", "pentium"])
