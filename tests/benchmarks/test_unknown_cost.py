"""What the unknown score costs is timed beside the same file without it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import benchmarks.latency.opening as opening
from benchmarks.commands import unknown_cost as command
from benchmarks.latency.files import find_files
from benchmarks.latency.without_unknown import write_without_unknown
from runtimes.console import Verb, run_program
from runtimes.errors import InputError

from .conftest import Exported
from .tiny_models import write_onnx, write_tflite

pytest.importorskip("ai_edge_litert", reason="needs the tflite group")
pytest.importorskip("onnxruntime", reason="needs the onnx group")
VERB = (Verb("unknown-cost", "", command.__name__),)
SHIPPED = (
    Path(__file__).parents[2] / "android_demo/app/src/main/assets/mobilenet_v2-ssd_kd-int8.tflite"
)


@pytest.fixture(autouse=True)
def _one_process_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_TIMES", 1)


def _answers(path: Path, image: np.ndarray) -> dict[str, np.ndarray]:
    if path.suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path))
        names = [each.name for each in session.get_outputs()]
        return dict(zip(names, session.run(names, {"image": image}), strict=True))
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(str(path), num_threads=1).get_signature_runner()
    kind = run.get_input_details()["image"]["dtype"]
    return dict(run(image=image.astype(kind)))


def test_a_copy_lacks_the_score_alone(exported: Exported, tmp_path: Path) -> None:
    for file in find_files([exported.artifacts, SHIPPED]):
        side = 224 if file.path == SHIPPED else 64
        image = np.random.default_rng(0).integers(0, 256, (1, side, side, 3)).astype(np.float32)
        before = file.path.read_bytes()
        copy = write_without_unknown(file, tmp_path)
        whole, cut = _answers(file.path, image), _answers(copy, image)
        assert set(whole) - set(cut) == {"unknown"}
        assert all(np.array_equal(cut[name], whole[name]) for name in cut), file.name
        assert file.path.read_bytes() == before


def test_a_tflite_copy_has_only_the_operators_that_it_needs(tmp_path: Path) -> None:
    from export.tflite_names import operations

    (file,) = find_files([SHIPPED])
    whole, cut = (
        operations(path.read_bytes()) for path in (SHIPPED, write_without_unknown(file, tmp_path))
    )
    left_out = [each for each in whole if each not in cut]
    assert [each for each in whole if each in cut] == cut
    assert {"unknown", "unknown/projection"} <= {each.outputs[0] for each in left_out}
    assert all(each.outputs[0].split("/")[0] in ("head", "unknown") for each in left_out)


def test_the_cost_is_the_median_ratio_of_a_file_and_its_copy_over_processes(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "cost.json"
    words = ["--processes", "3", "--runs", "30", "--seconds", "0.01", "--json", str(told)]
    argv = ["unknown-cost", str(exported.artifacts), "--only", "onnx:int8", *words]
    assert run_program("benchmarks", "", VERB, argv) == 0
    ((name, found),) = json.loads(told.read_text())["files"].items()
    assert found["format"] == "onnx:int8"
    pairs = [each["files"] for each in found["processes"]]
    assert len(pairs) == 3
    for whole, cut in pairs:
        assert (whole["name"], whole["peer"], cut["peer"]) == (name, False, True)
        assert (
            whole["ratio"]["base"] == cut["name"] == name.replace(".onnx", "-without-unknown.onnx")
        )
        assert whole["latency_ms"]["runs"] >= 30
    costs = sorted(whole["ratio"]["value"] - 1 for whole, _ in pairs)
    assert found["cost"] == dict(zip(("least", "median", "most"), costs, strict=True))
    least, median, most = (f"{100 * cost:+.2f}" for cost in costs)
    assert f"{median} ({least} to {most})" in capsys.readouterr().out


def test_what_cannot_be_cut_is_named(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (write_tflite(tmp_path / "other.tflite"), write_onnx(tmp_path / "other.onnx")):
        with pytest.raises(InputError, match=r"other\.\w+: its outputs are .*, expected"):
            write_without_unknown(find_files([path])[0], tmp_path)
    argv = ["unknown-cost", str(exported.artifacts)]
    assert run_program("benchmarks", "", VERB, [*argv, "--only", "coreml"]) == 2
    assert "only these can be cut" in capsys.readouterr().err
    for name in ("--runs", "--processes"):
        assert run_program("benchmarks", "", VERB, [*argv, name, "0"]) == 2
        assert f"{name} is 0, expected 1 or more" in capsys.readouterr().err
    assert run_program("benchmarks", "", VERB, ["unknown-cost", str(SHIPPED)]) == 2
    assert "is no folder" in capsys.readouterr().err


def test_damaged_and_missing_files_are_told_and_the_others_are_timed(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, told = tmp_path / "files", tmp_path / "cost.json"
    shutil.copytree(exported.artifacts, folder)
    (broken,) = folder.glob("*-int8.onnx")
    whole = broken.read_bytes()
    words = ["--processes", "1", "--runs", "5", "--seconds", "0.01", "--json", str(told)]
    argv = ["unknown-cost", str(folder), *words]

    def run() -> str:
        assert run_program("benchmarks", "", VERB, argv) == 1
        (measured,) = json.loads(told.read_text())["files"].values()
        assert measured["format"] == "onnx:fp32"
        said = capsys.readouterr().err
        fault: str = json.loads(told.read_text())["faults"][broken.name]
        assert f"{broken.name}: {fault}" in said
        return fault

    broken.write_bytes(whole[:-9])
    assert "SHA-256" in run()
    _put_into_manifest(folder, broken)  # as if it had been exported so
    assert "cannot be read as a model (DecodeError" in run()
    broken.unlink()
    assert "it is missing" in run()


def _put_into_manifest(folder: Path, file: Path) -> None:
    path = folder / "manifest.json"
    document = json.loads(path.read_text())
    for entry in document["files"]:
        if entry["file"] == file.name:
            entry["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
            entry["bytes"] = file.stat().st_size
    path.write_text(json.dumps(document))
