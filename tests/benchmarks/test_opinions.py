"""Other implementations read the exported files as their own runtimes do, or it is a row."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from benchmarks.commands import opinions as command
from benchmarks.opinions.ask import ask_all
from benchmarks.opinions.control import write_control
from runtimes.console import Verb, run_program
from runtimes.errors import InputError

from .conftest import Exported

pytest.importorskip("ai_edge_litert", reason="needs the tflite group")
pytest.importorskip("litert_torch", reason="needs the tflite group")
pytest.importorskip("onnx", reason="needs the onnx group")
VERB = (Verb("opinions", "", command.__name__),)


@pytest.fixture(scope="module")
def artifacts(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the tiny run with two .tflite among them."""
    out = tmp_path_factory.mktemp("opinions") / "artifacts"
    shutil.copytree(exported.artifacts, out)
    words = ["export", "run", str(exported.run), "--out", str(out), "--parity-images", "64"]
    words += ["--only", "tflite:fp32", "tflite:int8"]
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return out


def test_reference_kernels_agree_with_the_files_own_runtime(
    artifacts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "opinions.json"
    words = ["opinions", str(artifacts), "--json", str(out)]
    assert run_program("benchmarks", "", VERB, words) == 0
    document = json.loads(out.read_text())
    rows = {row["format"]: row for row in document["answers"]}
    assert rows.keys() == {"tflite:fp32", "tflite:int8", "onnx:fp32", "onnx:int8"}
    assert "reference kernels" in rows["tflite:int8"]["by"]
    assert "reference evaluator" in rows["onnx:int8"]["by"]
    for form in ("tflite:fp32", "onnx:fp32"):
        assert rows[form]["comparison"]["probability"] < 1e-5
    assert document["gpu"] == []
    assert document["images"] == 8
    assert str(artifacts) not in out.read_text()
    assert "agrees" in capsys.readouterr().out


def test_answers_apart_are_a_disagreement(
    artifacts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "artifacts"
    shutil.copytree(artifacts, other)
    golden = load_file(other / "golden.safetensors")
    golden["onnx:fp32/probabilities"] = np.roll(golden["onnx:fp32/probabilities"], 1, axis=1)
    save_file(golden, other / "golden.safetensors")
    assert run_program("benchmarks", "", VERB, ["opinions", str(other)]) == 1
    said = capsys.readouterr().err
    assert "run-fp32.onnx, ONNX" in said
    assert "a probability differs by" in said
    assert "run-fp32.tflite" not in said


def test_a_python_without_tensorflow_or_none_at_all_is_named(
    artifacts: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"tensorflow reference gave no answer.*Install it for"):
        ask_all(artifacts, Path(sys.executable))
    with pytest.raises(InputError, match="cannot be run"):
        ask_all(artifacts, tmp_path / "python")


def test_golden_images_that_are_missing_are_named(artifacts: Path, tmp_path: Path) -> None:
    other = tmp_path / "artifacts"
    shutil.copytree(artifacts, other)
    golden = load_file(other / "golden.safetensors")
    save_file({"image": golden["image"]}, other / "golden.safetensors")
    with pytest.raises(InputError, match=r"has no 'tflite:fp32/probabilities'"):
        ask_all(other)
    (other / "golden.safetensors").write_bytes(b"none")
    with pytest.raises(InputError, match="cannot be read"):
        ask_all(other)


def test_the_control_is_a_model_that_runs(tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    write_control(tmp_path / "control.tflite")
    interpreter = Interpreter(str(tmp_path / "control.tflite"))
    interpreter.allocate_tensors()
    (given,), (place,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(given["index"], np.eye(8, dtype=np.float32)[None, 5])
    interpreter.invoke()
    assert interpreter.get_tensor(place["index"]).tolist() == [5]
