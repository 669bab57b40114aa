"""Exported files on the whole test side: figures, gates and what they say when they fail."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import entropy

import export.gates as gates
from benchmarks.artifacts import listed_files
from benchmarks.commands import parity as command
from benchmarks.parity import TORCH, FileParity, Parity, measure_parity
from distill.comparison import read_student
from distill.dataset import open_dataset
from distill.metrics import Estimate
from distill.models import build_classifier
from export.formats import FORMATS
from export.image_set import network_pixels
from export.reference import reference_session
from runtimes.console import Verb, run_program
from runtimes.errors import InputError
from runtimes.integrity import MANIFEST_FILE
from runtimes.session import open_model

from .conftest import Exported

VERB = (Verb("parity", "", command.__name__),)


@pytest.fixture(scope="module")
def found(exported: Exported) -> Parity:
    return measure_parity(exported.artifacts, exported.run, open_dataset(exported.run))


def test_torch_and_every_listed_file_have_a_row(found: Parity) -> None:
    assert [row.format for row in found.rows] == [TORCH, "onnx:fp32", "onnx:int8"]
    assert found.images >= found.lesions > 10
    json.dumps(found.to_json(), allow_nan=False)


def test_torch_is_its_own_measure(found: Parity) -> None:
    torch = found.rows[0]
    assert (torch.agreement, torch.probability, torch.divergence) == (1.0, 0.0, 0.0)
    assert torch.faults == ()


def test_float32_is_inside_its_gate_and_differs_in_nothing(found: Parity) -> None:
    row = found.rows[1]
    assert row.faults == ()
    assert row.probability < 1e-4
    assert row.difference["accuracy"].value == pytest.approx(0, abs=1e-9)


def test_the_figures_are_those_of_the_files_answers(exported: Exported, found: Parity) -> None:
    classifier, contract = read_student(exported.run)
    dataset = open_dataset(exported.run)
    pixels = network_pixels(dataset, dataset.ids("test"), contract.preprocessing)
    torchs = reference_session(classifier, contract).predict(pixels).probabilities
    own = open_model(exported.artifacts / "run-int8.onnx").predict(pixels).probabilities
    row = found.rows[2]
    assert row.agreement == pytest.approx((own.argmax(1) == torchs.argmax(1)).mean())
    assert row.probability == pytest.approx(np.abs(own - torchs).max(), rel=1e-3)
    divergence = entropy(torchs.T.astype(float), own.T.astype(float)).mean()
    assert row.divergence == pytest.approx(divergence, rel=1e-2, abs=1e-7)
    melanoma = dataset.labels("test") == dataset.index.classes.index("MEL")
    scores = own[melanoma, dataset.index.classes.index("MEL")]
    assert row.melanoma_sensitivity == pytest.approx((scores >= found.threshold).mean())
    accuracy = (own.argmax(1) == dataset.labels("test")).mean()
    assert row.metrics["accuracy"].value == pytest.approx(accuracy)


def test_the_command_gates_by_file_metric_and_amount(
    exported: Exported, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["parity", str(exported.artifacts), "--run", str(exported.run)]
    monkeypatch.setattr(gates, "_INT8", gates.Gate(agreement=1.01))
    assert run_program("benchmarks", "", VERB, words) == 0
    assert run_program("benchmarks", "", VERB, [*words, "--gate"]) == 1
    said = capsys.readouterr()
    assert "run-int8.onnx: " in said.err
    assert "required 101.00 %" in said.err
    assert "run-fp32.onnx" not in said.err
    assert run_program("benchmarks", "", VERB, [*words, "--gate", "--only", "onnx:fp32"]) == 0
    assert run_program("benchmarks", "", VERB, [*words, "--gate", "--images", "1"]) == 2


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"probability": 2e-4}, "a probability differs by 0.0002, allowed 0.0001"),
        ({"agreement": 0.98}, "98.00 % of the first diagnoses agree, required 98.50 %"),
        ({"agreement": 0.98499}, "98.49 % of the first diagnoses agree, required 98.50 %"),
        (
            {"difference": {"balanced_accuracy": Estimate(-0.004, -0.01, 0.01)}},
            "balanced accuracy differs by -0.40 points, allowed 0.30",
        ),
    ],
)
def test_each_limit_of_a_gate_holds(change: dict[str, object], fault: str) -> None:
    even = {"balanced_accuracy": Estimate(0.003, -0.01, 0.01)}
    row = FileParity("x:y", "x", "", {}, even, 0.985, 1e-4, 0.0, None)
    gate = gates.Gate(probability=1e-4, agreement=0.985, balanced_accuracy=0.003)
    assert gate.faults(row.deviation) == ()
    assert gate.faults(replace(row, **change).deviation) == (fault,)  # type: ignore[arg-type]


def test_formats_have_the_gates_of_their_precision() -> None:
    classifier = build_classifier("mobilenet_v2", 8)
    found = {form.key: gates.gate_for(form, classifier) for form in FORMATS}
    assert found["tflite:fp32"].probability == 1e-4
    assert found["onnx:fp16"].agreement == 0.999
    assert found["coreml:w8a8"].balanced_accuracy == 0.003
    other = build_classifier("efficientnet_b0", 8)
    assert gates.gate_for(FORMATS[-1], other).balanced_accuracy == 0.010


def test_an_answer_that_is_no_number_is_a_fault_of_its_file(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    import benchmarks.parity as module

    def broken(path: Path, threads: int):  # type: ignore[no-untyped-def]
        session = open_model(path, threads)
        if "int8" in path.name:
            answer = session.predict

            def predict(pixels: np.ndarray):  # type: ignore[no-untyped-def]
                found = answer(pixels)
                found.probabilities[0] = np.nan
                return found

            session.predict = predict
        return session

    monkeypatch.setattr(module, "open_model", broken)
    found = measure_parity(exported.artifacts, exported.run, open_dataset(exported.run))
    assert "1 images have an answer that is no probabilities" in found.rows[2].faults
    assert found.rows[1].faults == ()
    json.dumps(found.to_json(), allow_nan=False)


def test_an_asked_format_that_is_not_there_is_an_error(
    exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["parity", str(exported.artifacts), "--run", str(exported.run), "--gate"]
    words += ["--only", "tflite:int8", "onnx:fp32"]
    assert run_program("benchmarks", "", VERB, words) == 2
    assert "does not list tflite:int8" in capsys.readouterr().err


def test_files_of_another_student_are_refused(exported: Exported, tmp_path: Path) -> None:
    (tmp_path / "student.safetensors").write_bytes(b"other")
    with pytest.raises(InputError, match="another student"):
        measure_parity(exported.artifacts, tmp_path, open_dataset(exported.run))


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/model.onnx", "", "..", "a\0.onnx"])
def test_a_manifest_leads_nowhere_else(name: str, exported: Exported, tmp_path: Path) -> None:
    about = json.loads((exported.artifacts / MANIFEST_FILE).read_text())
    about["files"][0]["file"] = name
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(about))
    with pytest.raises(InputError, match="no file of its folder"):
        listed_files(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["[]", "3", '{"files": 3}', '{"files": [3]}', '{"files": [], "student": 1}', "[" * 10**5],
)
def test_a_manifest_of_another_kind_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST_FILE).write_text(text)
    with pytest.raises(InputError, match=MANIFEST_FILE):
        listed_files(tmp_path)


def test_a_file_changed_after_its_export_is_named(exported: Exported, tmp_path: Path) -> None:
    copy = tmp_path / "artifacts"
    shutil.copytree(exported.artifacts, copy)
    files, _ = listed_files(copy)
    path = copy / files["onnx:fp32"]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="not what was verified"):
        measure_parity(copy, exported.run, open_dataset(exported.run), images=4)


def test_a_folder_without_an_export_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_program("benchmarks", "", VERB, ["parity", str(tmp_path)]) == 2
    assert "manifest.json" in capsys.readouterr().err


def test_a_missing_run_is_asked_for(
    exported: Exported,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_program("benchmarks", "", VERB, ["parity", str(exported.artifacts)]) == 2
    assert "Name the run with --run" in capsys.readouterr().err
