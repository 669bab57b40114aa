"""Fine-tuning for int8: it brings the rounded student closer, and fits one student only."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from distill.checkpoint import STUDENT_FILE, load_tensors, save_classifier, save_tensors
from distill.comparison import read_student
from distill.models import Classifier
from distill.sample import write_sample
from distill.train import Deadline, Stopped
from export.quantization.aware import finetune as module
from export.quantization.aware.finetune import Settings, finetune
from export.quantization.aware.record import AWARE_FILE, read_aware
from export.quantization.aware.task import Signals
from runtimes.console import Verb, run_program
from runtimes.errors import GateError, InputError

CPU = torch.device("cpu")
SETTINGS = Settings(
    epochs=2.0, images_per_class=8, batch=8, lr=0.0003, validation_images=64, calibration_images=32
)
BUDGET = """
name: tiny
purpose: test
cache: 40
evaluation_size: 64
teacher: {phases: [{epochs: 0.2, size: 40, batch: 16}], lr: 0.01, weights: random}
head: {}
student: {phases: [{epochs: 0.1, size: 40, batch: 16}], lr: 0.01, weights: random}
"""
VERBS = (
    Verb("train", "", "distill.commands.train"),
    Verb("run", "", "export.commands.run"),
    Verb("finetune", "", "export.commands.finetune"),
)


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, enliven: Callable[[Classifier, int], Classifier]
) -> Path:
    """A run with a teacher, whose student answers as widely as one that was trained for long."""
    folder = tmp_path_factory.mktemp("finetune")
    write_sample(folder / "data", per_class=60, size=40)
    (folder / "tiny.yaml").write_text(BUDGET)
    words = ["train", "blkd", "--data", str(folder / "data"), "--out", str(folder / "run")]
    words += ["--budget", str(folder / "tiny.yaml"), "--pair", "resnet18:mobilenet_v2"]
    words += ["--cache-dir", str(folder / "cache")]
    assert run_program("distill", "", VERBS, words) == 0
    student = enliven(read_student(folder / "run")[0], 64)
    student.classifier.weight.mul_(0.2)
    save_classifier(folder / "run" / STUDENT_FILE, student)
    return folder / "run"


@pytest.fixture(scope="module")
def tuned(run: Path) -> Path:
    out = run.parent / "tuned"
    finetune(run, out, SETTINGS, CPU)
    return out


def test_it_brings_the_rounded_student_closer_to_the_float_one(tuned: Path) -> None:
    record = json.loads((tuned / "finetune.json").read_text())
    before, after = (record["validation"][when]["divergence"] for when in ("before", "after"))
    assert after < 0.9 * before
    assert after == min(row["validation"]["divergence"] for row in record["epochs"])
    assert {path.name for path in tuned.iterdir()} == {AWARE_FILE, "finetune.json", "log.jsonl"}


class _StopsAfter(Deadline):
    def __init__(self, steps: int) -> None:
        super().__init__()
        self.left = steps

    def passed(self) -> bool:
        """Counts one step."""
        self.left -= 1
        return self.left <= 0


def test_stopped_and_resumed_it_learns_the_same(run: Path, tuned: Path, tmp_path: Path) -> None:
    out = tmp_path / "slices"
    with pytest.raises(Stopped):
        finetune(run, out, SETTINGS, CPU, deadline=_StopsAfter(5))
    with pytest.raises(InputError, match="unfinished"):
        finetune(run, out, SETTINGS, CPU)
    with pytest.raises(InputError, match="other settings"):
        finetune(run, out, replace(SETTINGS, seed=1), CPU, resume=True)
    finetune(run, out, SETTINGS, CPU, resume=True)
    whole, slices = (load_tensors(folder / AWARE_FILE) for folder in (tuned, out))
    assert whole[1] == slices[1]
    for name, value in whole[0].items():
        assert torch.equal(value, slices[0][name]), name


def test_without_time_for_a_first_step_nothing_is_written(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"before the first step.*Give more time"):
        finetune(run, tmp_path / "out", SETTINGS, CPU, deadline=Deadline(0.0))
    assert not (tmp_path / "out").exists()


def test_a_signal_before_training_ends_it_at_once(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(*given: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
        pytest.fail("the signal had no effect")

    monkeypatch.setattr(module, "measure", measured)
    words = ["finetune", str(run), "--out", str(tmp_path / "out"), "--images-per-class", "8"]
    assert run_program("export", "", VERBS, [*words, "--calibration-images", "32"]) == 130
    assert not (tmp_path / "out").exists()


def test_a_student_that_came_no_closer_is_not_kept(run: Path, tmp_path: Path) -> None:
    out, wild = tmp_path / "wild", replace(SETTINGS, lr=3.0, epochs=0.3)
    with pytest.raises(GateError, match=r"no epoch .* closer .* no aware.safetensors is written"):
        finetune(run, out, wild, CPU)
    assert {path.name for path in out.iterdir()} == {"log.jsonl"}
    finetune(run, out, SETTINGS, CPU)
    assert (out / AWARE_FILE).exists()


def test_what_is_no_fine_tuning_is_named(run: Path, tuned: Path) -> None:
    student, _ = read_student(run)
    with pytest.raises(InputError, match="is a run, not a fine-tuning"):
        read_aware(run, run, student)
    with pytest.raises(InputError, match="is a file; give the folder"):
        read_aware(tuned / AWARE_FILE, run, student)


def test_a_teacher_and_the_labels_take_part_where_one_is_given(run: Path, tmp_path: Path) -> None:
    signals = Signals(teacher=0.001, labels=0.001)  # of a teacher that has learned nothing
    settings = replace(SETTINGS, epochs=1.0, signals=signals)
    record = finetune(run, tmp_path / "taught", settings, CPU, teacher=run / "teacher")
    assert record["teacher"] == "resnet18"
    assert set(record["epochs"][0]["terms"]) == {"student", "last_map", "teacher", "labels"}


def test_the_export_takes_it_and_says_so(
    run: Path, tuned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxscript", reason="needs the onnx group")
    words = ["run", str(run), "--aware", str(tuned), "--parity-images", "64"]
    words += ["--out", str(tmp_path / "out"), "--calibration-images", "32"]
    run_program("export", "", VERBS, [*words, "--only", "onnx:int8", "onnx:fp32"])
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    entries = {entry["format"]: entry for entry in manifest["files"]}
    assert entries["onnx:int8"]["quantization"]["aware"]["folder"] == "tuned"
    assert "quantization" not in entries["onnx:fp32"]
    assert run_program("export", "", VERBS, [*words, "--only", "onnx:fp32"]) == 2
    assert "none of the chosen formats has int8 activations" in capsys.readouterr().err


def test_another_students_numbers_are_refused(run: Path, tuned: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(run, other)
    student, _ = read_student(other)
    with torch.no_grad():
        student.classifier.bias.add_(0.1)
    save_classifier(other / STUDENT_FILE, student)
    with pytest.raises(InputError, match=r"another student.*finetune"):
        read_aware(tuned, other, student)


def _without(name: str) -> Callable[[dict[str, Tensor], dict[str, str]], None]:
    def change(tensors: dict[str, Tensor], header: dict[str, str]) -> None:
        del tensors[name]

    return change


def _span(value: object) -> Callable[[dict[str, Tensor], dict[str, str]], None]:
    def change(tensors: dict[str, Tensor], header: dict[str, str]) -> None:
        header["ranges"] = json.dumps({**json.loads(header["ranges"]), "0.0": value})

    return change


def _half(tensors: dict[str, Tensor], header: dict[str, str]) -> None:
    tensors["0.0.weight"] = tensors["0.0.weight"].half()


def _off_steps(tensors: dict[str, Tensor], header: dict[str, str]) -> None:
    tensors["1.conv.1.weight"] = (
        tensors["1.conv.1.weight"] * torch.linspace(0.9, 1, 32)[:, None, None]
    )


def _narrow(tensors: dict[str, Tensor], header: dict[str, str]) -> None:
    tensors["0.0.weight"] = tensors["0.0.weight"][:4]


def _foreign(tensors: dict[str, Tensor], header: dict[str, str]) -> None:
    header["format"] = "dermport.classifier"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without("1.conv.1.bias"), r"'1.conv.1.bias' is missing, expected \(16,\)"),
        (_narrow, r"'0.0.weight' is \(4, 3, 3, 3\), expected \(32, 3, 3, 3\)"),
        (_half, "'0.0.weight' is float16, expected float32"),
        (_off_steps, r"do not lie on the int8 steps of their channels.*was changed"),
        (_span([0.1, 0]), "the range of '0.0' is"),  # more than eleven binary digits
        (_span([-0.5, 0]), "a scale of eleven binary digits above 0"),
        (_span([0.5, 7]), "here 0"),
        (_span([0.5]), "the range of '0.0' is"),
        (_foreign, "dermport.classifier"),
    ],
)
def test_a_damaged_file_is_refused_with_what_is_wrong(
    change: Callable[[dict[str, Tensor], dict[str, str]], None],
    message: str,
    run: Path,
    tuned: Path,
    tmp_path: Path,
) -> None:
    tensors, header = load_tensors(tuned / AWARE_FILE)
    change(tensors, header)
    save_tensors(tmp_path / AWARE_FILE, tensors, header)
    with pytest.raises(InputError, match=message):
        read_aware(tmp_path, run, read_student(run)[0])


def test_an_unfinished_or_missing_folder_is_told_apart(run: Path, tmp_path: Path) -> None:
    student, _ = read_student(run)
    with pytest.raises(InputError, match="not finished"):
        read_aware(tmp_path, run, student)
    with pytest.raises(InputError, match="no such folder"):
        read_aware(tmp_path / "none", run, student)


def test_nothing_else_is_written_over(run: Path, tuned: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for out, message in ((tmp_path, "notes.txt"), (tuned, "finished"), (run / "in", "each other")):
        with pytest.raises(InputError, match=message):
            finetune(run, out, SETTINGS, CPU)
