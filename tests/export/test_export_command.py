"""A finished run exported from the command line: delivered whole and checked, or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from distill.checkpoint import STUDENT_FILE, load_classifier, save_classifier
from distill.metrics import Estimate
from distill.models import Classifier
from export.formats import FORMATS, Format, Tolerance, select_formats
from export.pipeline import Settings, exit_code, export_run
from export.quantization.float_choice import Choice, Trial
from export.quantization.settings import Quantization
from runtimes.dependencies import STAGES
from runtimes.errors import InputError, MissingDependencyError
from runtimes.locks import claim
from runtimes.metadata import read_contract
from runtimes.session import open_model

SAME = Estimate(0.0, 0.0, 0.0)


def _program(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def artifacts(run: Path) -> Path:
    out = run.parent / "artifacts"
    words = ["export", "run", str(run), "--out", str(out), "--parity-images", "64"]
    done = _program(*words, "--calibration-images", "64")
    assert done.returncode == 0, done.stderr[-3000:]
    return out


REPORTS = {"contract.json", "golden.safetensors", "manifest.json", "parity.json"}


def _files(formats: Sequence[Format] = FORMATS) -> set[str]:
    return {form.file_name("run") for form in formats}


def test_all_nine_files_are_delivered_with_hashes_and_nothing_is_left_over(
    artifacts: Path,
) -> None:
    assert {path.name for path in artifacts.iterdir()} == _files() | REPORTS
    entries = json.loads((artifacts / "manifest.json").read_text())["files"]
    assert {entry["file"] for entry in entries} == _files()
    for entry in entries:
        if (artifacts / entry["file"]).is_file():
            content = (artifacts / entry["file"]).read_bytes()
            assert entry["sha256"] == hashlib.sha256(content).hexdigest()
            assert entry["bytes"] == len(content)


def test_calibration_images_are_of_the_training_side_and_recorded(
    run: Path, artifacts: Path
) -> None:
    manifest = json.loads((artifacts / "manifest.json").read_text())
    used = {entry["calibration"] for entry in manifest["files"]} - {None}
    calibration = manifest["image_sets"][used.pop()]
    assert not used
    split = json.loads((run / "split.json").read_text())
    assert len(set(calibration["ids"])) == calibration["images"] == 64
    assert set(calibration["ids"]) <= set(split["train"])
    assert set(calibration["classes"].values()) == {8}
    contract = json.loads((artifacts / "contract.json").read_text())
    assert calibration["preprocessing"] == contract["preprocessing"]
    assert len(calibration["pixels_sha256"]) == 64


def _pixel_type(path: Path) -> str:
    """The type of the pixels that a file takes, as its own library sees it."""
    if path.suffix == ".tflite":
        interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(str(path))
        return str(np.dtype(interpreter.get_input_details()[0]["dtype"]))
    if path.suffix == ".onnx":
        graph = pytest.importorskip("onnx").load(path).graph
        return str(pytest.importorskip("onnx").helper.tensor_dtype_to_np_dtype(
            graph.input[0].type.tensor_type.elem_type
        ))  # fmt: skip
    spec = pytest.importorskip("coremltools").models.MLModel(str(path), skip_model_load=True)
    kind = spec.get_spec().description.input[0].type
    return "uint8" if kind.WhichOneof("Type") == "imageType" else "float32"


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.key)
def test_every_file_explains_itself_and_gives_its_golden_answers(
    form: Format, artifacts: Path
) -> None:
    path = artifacts / form.file_name("run")
    contract = read_contract(path)
    assert contract.training.synthetic
    assert contract.input_dtype == _pixel_type(path)
    golden = load_file(artifacts / "golden.safetensors")
    found = open_model(path).predict(golden["image"])
    assert np.allclose(found.probabilities, golden[f"{form.key}/probabilities"], atol=1e-6)
    assert np.allclose(found.cam, golden[f"{form.key}/cam"], atol=1e-4)
    if form.precision == "fp32":
        assert np.abs(found.probabilities - golden["torch/probabilities"]).max() < 1e-4
        assert np.allclose(found.cam, golden["torch/cam"], atol=1e-3)


def test_what_fails_its_gate_is_not_delivered_and_the_others_are(run: Path, tmp_path: Path) -> None:
    (strict,) = select_formats(["onnx:fp32"])
    strict = replace(strict, tolerance=Tolerance(0.0, None, agreement=1.0, decisions=1.0, maps=0.0))
    out = tmp_path / "out"
    out.mkdir()
    (out / "run-fp32.onnx").write_text("what stood there")
    formats = (strict, *select_formats(["tflite:fp32"]))
    rows = export_run(run, out, formats, settings=Settings(parity_images=64)).rows
    assert exit_code(rows) == 1
    assert "outside its tolerance" in str(rows[0].problem)
    assert rows[1].problem is None
    assert (out / "run-fp32.onnx").read_text() == "what stood there"
    parity = json.loads((out / "parity.json").read_text())
    assert [row["verdict"] for row in parity["rows"]] == ["failed", "passed"]
    assert {path.name for path in out.iterdir()} == {"run-fp32.onnx", "run-fp32.tflite", *REPORTS}


def test_files_that_compute_in_float16_say_how_far_their_numbers_reach(artifacts: Path) -> None:
    entries = json.loads((artifacts / "manifest.json").read_text())["files"]
    checks = {entry["format"]: entry["half_range"] for entry in entries if "half_range" in entry}
    halves = ("onnx:fp16", "coreml:fp16", "tflite:fp16", "coreml:int8-weights", "coreml:w8a8")
    assert set(checks) == set(halves)
    for check in checks.values():
        assert check["at_risk"] == []
        assert check["largest_output"]["headroom"] > check["output_margin"]


def test_what_float16_cannot_hold_is_named_while_exporting(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("export.quantization.half_range.OUTPUT_MARGIN", 1e9)  # nothing suffices
    formats = select_formats(["tflite:fp16"])
    export_run(run, tmp_path, formats, settings=Settings(parity_images=64))
    warning = capsys.readouterr().err
    assert "tflite:fp16: float16 cannot hold 0.0 (reaches" in warning
    (entry,) = json.loads((tmp_path / "manifest.json").read_text())["files"]
    assert {"tensor", "risk", "largest", "float32"} == set(entry["half_range"]["at_risk"][0])


def test_sensitivity_in_float16_shows_the_headroom(run: Path) -> None:
    words = ["--precision", "fp16", "--images", "8"]
    done = _program("export", "sensitivity", str(run), *words)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "headroom" in done.stdout
    assert done.stdout.rstrip().endswith("at risk: nothing")


def test_a_missing_converter_is_named_and_the_others_still_run(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STAGES, "onnx", (("no_such_package", "no-such-package"),))
    formats = select_formats(["onnx:fp32", "tflite:fp32"])
    rows = export_run(run, tmp_path, formats, settings=Settings(parity_images=64)).rows
    assert exit_code(rows) == 2
    assert isinstance(rows[0].problem, MissingDependencyError)
    assert "'.[onnx]'" in str(rows[0].problem)
    assert (tmp_path / "run-fp32.tflite").is_file()


def test_parity_is_kept_as_data(artifacts: Path) -> None:
    parity = json.loads((artifacts / "parity.json").read_text())
    assert parity["synthetic"] is True
    assert len(parity["rows"]) == 9
    assert {row["parity"]["images"] for row in parity["rows"]} == {64}
    assert {row["verdict"] for row in parity["rows"]} == {"passed"}


def test_a_file_of_the_wrong_precision_is_not_delivered(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.tflite_export.quantize_static", lambda content, *rest: content)
    (form,) = select_formats(["tflite:int8"])
    done = export_run(run, tmp_path / "out", [form], settings=Settings(64, 64))
    assert exit_code(done.rows) == 1
    assert "its weights are not int8" in str(done.rows[0].problem)
    assert not list((tmp_path / "out").glob("*"))


def test_one_more_format_leaves_what_is_said_of_the_others(run: Path, artifacts: Path) -> None:
    before = json.loads((artifacts / "manifest.json").read_text())
    words = ["export", "run", str(run), "--out", str(artifacts), "--parity-images", "5000"]
    done = _program(*words, "--only", "onnx:fp32", "--seed", "1")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "files are compared on all of them, not on 5,000" in done.stderr
    after = json.loads((artifacts / "manifest.json").read_text())
    kept, made = ({e["format"]: e for e in document["files"]} for document in (before, after))
    assert set(made) == set(kept)
    for key, entry in made.items():
        assert (entry == kept[key]) == (key != "onnx:fp32"), key
    assert after["image_sets"][made["onnx:fp32"]["verification"]]["seed"] == 1
    parity = json.loads((artifacts / "parity.json").read_text())
    assert len(parity["rows"]) == 9
    golden = load_file(artifacts / "golden.safetensors")
    assert all(f"{form.key}/probabilities" in golden for form in FORMATS)


def test_convolutions_left_in_float_are_recorded(run: Path, tmp_path: Path) -> None:
    words = ["export", "run", str(run), "--out", str(tmp_path / "out"), "--parity-images", "64"]
    words += ["--calibration-images", "64", "--float-layers", "0.0", "1.conv.0.0"]
    done = _program(*words, "--only", "onnx:int8")
    assert done.returncode == 0, done.stderr[-3000:]
    (entry,) = json.loads((tmp_path / "out" / "manifest.json").read_text())["files"]
    assert entry["quantization"]["float_layers"] == ["0.0", "1.conv.0.0"]
    assert entry["quantization"]["estimator"] == "averaged"
    rounded = 52 - 2  # convolutions, without the head's
    assert entry["operators"]["DequantizeLinear"] >= rounded
    content = (tmp_path / "out" / entry["file"]).read_bytes()
    assert b"trunk.0.0.weight_quantized" not in content
    assert b"trunk.2.conv.0.0.weight_quantized" in content
    useless = _program(*words, "--only", "onnx:fp32")
    assert useless.returncode == 2
    assert "none of the chosen formats has int8 activations" in useless.stderr


def test_ranges_are_measured_as_asked(run: Path, tmp_path: Path) -> None:
    def settings(ranges: str) -> Settings:
        return Settings(64, 64, quantization=Quantization(estimator=ranges))

    (form,) = select_formats(["onnx:int8"])
    answers = {}
    for ranges in ("averaged", "extremes"):
        out = tmp_path / ranges
        (row,) = export_run(run, out, [form], settings=settings(ranges)).rows
        assert row.entry["quantization"]["estimator"] == ranges
        answers[ranges] = load_file(out / "golden.safetensors")["onnx:int8/cam"]
    assert not np.array_equal(answers["averaged"], answers["extremes"])
    with pytest.raises(InputError, match=r"possible: extremes, averaged, percentile, mse"):
        settings("widest")
    with pytest.raises(InputError, match=r"none of the chosen formats.*leave out --ranges"):
        export_run(run, tmp_path, select_formats(["onnx:fp32"]), settings=settings("mse"))


def test_a_choice_of_float_layers_is_made_on_written_files_and_recorded(
    run: Path, tmp_path: Path
) -> None:
    words = ["export", "run", str(run), "--out", str(tmp_path / "out"), "--parity-images", "64"]
    words += ["--calibration-images", "32", "--only", "tflite:int8", "--float-layers"]
    done = _program(*words, "auto")
    assert done.returncode == 0, done.stderr[-3000:]
    (entry,) = json.loads((tmp_path / "out" / "manifest.json").read_text())["files"]
    choice = entry["float_layers_choice"]
    assert choice["trials"][0]["layers"] == []
    assert choice["format"] == "tflite:int8"
    assert choice["images"] > 0
    assert entry["quantization"]["float_layers"] == choice["layers"]
    chosen = next(trial for trial in choice["trials"] if trial["layers"] == choice["layers"])
    assert choice["passed"] == (not chosen["faults"])
    assert "tflite:int8 with nothing in float:" in done.stderr
    mixed = _program(*words, "auto", "0.0")
    assert mixed.returncode == 2
    assert "'auto' and layers beside it" in mixed.stderr


def test_a_format_outside_its_gate_with_the_choice_is_not_delivered(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, outside = (
        Trial((), 1.0, 1.0, SAME, 0.0, 9, ()),
        Trial((), 0.9, 0.9, SAME, 0.1, 9, ("too few agree",)),
    )
    keys = ("onnx:int8", "tflite:int8", "onnx:fp32")

    def verdicts(choice: Choice) -> dict[str, str]:
        monkeypatch.setattr("export.pipeline.choose_float_layers", lambda *given, **named: choice)
        settings = Settings(64, 64, choose_float_layers=True)
        rows = export_run(run, tmp_path, select_formats(keys), settings=settings).rows
        assert exit_code(rows) == 1
        return {row.form.key: str(row.problem or "") for row in rows}

    one = Choice((), True, 0.0, (inside,), "tflite:int8", 300, others={"onnx:int8": outside})
    found = verdicts(one)
    assert found["tflite:int8"] == found["onnx:fp32"] == ""
    assert "chosen with tflite:int8) on 300 validation images: too few agree" in found["onnx:int8"]
    found = verdicts(Choice((), False, 0.0, (outside,), "tflite:int8", 300))
    assert found["onnx:fp32"] == ""
    assert "(what came closest)" in found["tflite:int8"]
    assert "(what came closest)" in found["onnx:int8"]


def test_operators_in_float_are_said_and_recorded(artifacts: Path) -> None:
    entries = json.loads((artifacts / "manifest.json").read_text())["files"]
    left = {entry["format"]: entry["left_in_float"] for entry in entries}
    small = left.pop("coreml:int8-weights")
    assert small[0] == "conv 0.0"
    assert len(small) == 10  # convolutions of fewer than 2048 numbers
    assert set(map(tuple, left.values())) == {()}
    rows = json.loads((artifacts / "parity.json").read_text())["rows"]
    assert {row["format"]: row["left_in_float"] for row in rows} == {
        "coreml:int8-weights": small,
        **left,
    }


def test_an_operator_left_in_float_is_warned_of(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    named = ("ReduceMean after 1.0", "ReduceMean after 2.0")
    monkeypatch.setattr("export.conversions.left_in_float", lambda *arguments: named)
    export_run(run, tmp_path, select_formats(["onnx:int8"]), settings=Settings(64, 64))
    said = capsys.readouterr().err
    assert "run-int8.onnx: left in float: 2 ReduceMean (after 1.0, …)" in said


def _broken(run: Path, folder: Path, change: Callable[[Classifier], object]) -> Path:
    shutil.copytree(run, folder)
    student = load_classifier(folder / STUDENT_FILE).requires_grad_(False)
    change(student)
    save_classifier(folder / STUDENT_FILE, student)
    return folder


@pytest.mark.parametrize(
    ("tensor", "value", "said"),
    [
        (
            "3.conv.1.0.weight",
            float("nan"),
            r"student\.safetensors .* trunk\.3\.conv\.1\.0\.weight",
        ),
        ("3.conv.3.running_var", -1.0, r"the layer 3\.conv\.3 \(BatchNorm2d\)"),
    ],
)
@pytest.mark.parametrize("key", ["onnx:fp32", "tflite:int8"])
def test_a_network_that_is_not_finite_is_refused_before_anything_is_written(
    run: Path, tmp_path: Path, key: str, tensor: str, value: float, said: str
) -> None:
    def change(student: Classifier) -> None:
        student.trunk.state_dict()[tensor].fill_(value)

    broken = _broken(run, tmp_path / "run", change)
    out = tmp_path / "out"
    with pytest.raises(InputError, match=said):
        export_run(broken, out, select_formats([key]), settings=Settings(64, 64))
    assert not out.exists()


def test_layers_are_watched_on_both_sets_of_images(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched: list[str] = []

    def watch(classifier: Classifier, images: str) -> AbstractContextManager[None]:
        watched.append(images)
        return nullcontext()

    monkeypatch.setattr("export.pipeline.finite_activations", watch)
    export_run(run, tmp_path, select_formats(["onnx:fp16"]), settings=Settings(64, 64))
    assert watched == ["verification images", "calibration images"]


def test_a_second_export_into_a_folder_waits_for_nobody(run: Path, artifacts: Path) -> None:
    before = (artifacts / "manifest.json").read_bytes()
    words = ["export", "run", str(run), "--out", str(artifacts), "--only", "onnx:fp32"]
    with claim(artifacts):
        second = _program(*words)
    assert second.returncode == 2
    assert "another export writes into" in second.stderr
    assert (artifacts / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": "theirs"}'])
def test_a_manifest_that_says_nothing_is_not_replaced(
    run: Path, tmp_path: Path, content: str
) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=r"manifest\.json: it is damaged"):
        export_run(run, tmp_path, select_formats(["onnx:fp32"]))
    assert (tmp_path / "manifest.json").read_text() == content


def test_a_misspelt_format_is_an_error_that_lists_the_formats(run: Path) -> None:
    done = _program("export", "run", str(run), "--only", "tflite:int4")
    assert done.returncode == 2
    assert "tflite:int8" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    done = _program("export", "run", str(tmp_path), "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
