"""One interface over all runtimes: torch's answers from every file, errors and no crashes."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtimes.errors import InputError
from runtimes.metadata import embed_contract
from runtimes.mil_program import MilProgram
from runtimes.preprocess import load_image
from runtimes.session import open_model
from runtimes.torch_runtime import TorchSession

from .conftest import SIDE, Tiny

# fp32 files agree to rounding; the Core ML package holds fp16
FORMATS = {"tflite": 1e-5, "onnx": 1e-5, "mlpackage": 2e-3}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_file_answers_as_torch_does(tiny: Tiny, kind: str) -> None:
    images = tiny.images(3)
    session = open_model(getattr(tiny, kind))
    for pixels in (images, images.astype(np.float32)):
        answer = session.predict(pixels)
        for found, expected in zip(dataclasses.astuple(answer), tiny.expected(images), strict=True):
            assert found.dtype == np.float32
            assert found.shape == expected.shape
            assert np.abs(found - expected).max() < FORMATS[kind]
    assert session.contract == tiny.contract


def test_the_torch_session_is_the_module_itself(tiny: Tiny) -> None:
    images = tiny.images(40)
    session = TorchSession(tiny.module, tiny.contract)
    answer = dataclasses.astuple(session.predict(images))
    for found, expected in zip(answer, tiny.expected(images), strict=True):
        assert np.abs(found - expected).max() < 1e-6
    assert session.backend.startswith("torch ")


def test_the_backend_names_what_runs(tiny: Tiny) -> None:
    assert "XNNPACK 1 partition 1 thread" in open_model(tiny.tflite).backend
    assert "CPUExecutionProvider 2 threads" in open_model(tiny.onnx, threads=2).backend
    backend = open_model(tiny.mlpackage, threads=2).backend
    assert backend.startswith("MIL evaluator on torch")
    assert backend.endswith("2 threads")


def test_the_evaluator_runs_one_image_in_each_thread_and_puts_torchs_own_setting_back(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    session = open_model(tiny.mlpackage, threads=2)
    images = tiny.images(4)
    expected = session.predict(images)
    at_once, run, seen = threading.Barrier(2, timeout=60), MilProgram.run, []

    def met(program: MilProgram, image: torch.Tensor) -> dict[str, torch.Tensor]:
        at_once.wait()
        seen.append(torch.get_num_threads())
        return run(program, image)

    monkeypatch.setattr(MilProgram, "run", met)
    before = torch.get_num_threads()
    found = session.predict(images)
    assert seen == [1, 1, 1, 1]
    assert torch.get_num_threads() == before
    assert (found.probabilities == expected.probabilities).all()
    assert np.abs(found.probabilities - tiny.expected(images)[0]).max() < 1e-2


def test_onnx_takes_more_images_than_one_batch_holds(tiny: Tiny) -> None:
    images = tiny.images(70)
    answer = open_model(tiny.onnx).predict(images)
    assert np.abs(answer.probabilities - tiny.expected(images)[0]).max() < 1e-5


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (np.zeros((1, SIDE, SIDE + 1, 3), np.uint8), "shape"),
        (np.zeros((1, 3, SIDE, SIDE), np.uint8), "channels last"),
        (np.zeros((SIDE, SIDE, 3), np.uint8), "shape"),
        (np.zeros((0, SIDE, SIDE, 3), np.uint8), "no image"),
        (np.zeros((1, SIDE, SIDE, 3), np.float64), "float64"),
        (np.full((1, SIDE, SIDE, 3), -1, np.float32), "0 to 255"),
        (np.full((1, SIDE, SIDE, 3), np.nan, np.float32), "0 to 255"),
    ],
)
def test_wrong_pixels_are_refused(tiny: Tiny, kind: str, images: np.ndarray, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        open_model(getattr(tiny, kind)).predict(images)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_contract_of_another_network_is_refused(
    tiny: Tiny, copy_of: Callable[[Path], Path], kind: str
) -> None:
    path = copy_of(getattr(tiny, kind))
    recipe = dataclasses.replace(tiny.contract.preprocessing, size=224)
    embed_contract(path, dataclasses.replace(tiny.contract, preprocessing=recipe))
    with pytest.raises(InputError, match=f"{path.name}.*32×32.*224×224"):
        open_model(path)


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
@pytest.mark.parametrize("damage", ["empty", "truncated", "random", "text"])
def test_damaged_files_are_errors_that_name_the_file(
    tiny: Tiny, tmp_path: Path, kind: str, damage: str
) -> None:
    content = getattr(tiny, kind).read_bytes()
    path = tmp_path / f"damaged.{kind}"
    path.write_bytes(
        {
            "empty": b"",
            "truncated": content[: len(content) // 2],
            "random": np.random.default_rng(0).bytes(len(content)),
            "text": b"<html>404 not found</html>",
        }[damage]
    )
    for require in (True, False):
        with pytest.raises(InputError, match=f"damaged.{kind}"):
            open_model(path, require_contract=require)


@pytest.mark.parametrize("damage", ["empty", "truncated", "random", "gone"])
@pytest.mark.parametrize("part", ["Manifest.json", "model.mlmodel", "weight.bin"])
def test_a_damaged_part_of_a_package_is_an_error(
    tiny: Tiny, copy_of: Callable[[Path], Path], part: str, damage: str
) -> None:
    path = copy_of(tiny.mlpackage)
    (file,) = path.rglob(part)
    content = file.read_bytes()
    file.write_bytes(
        {
            "empty": b"",
            "truncated": content[: len(content) // 3],
            "random": np.random.default_rng(0).bytes(len(content)),
            "gone": b"",
        }[damage]
    )
    if damage == "gone":
        file.unlink()
    with pytest.raises(InputError, match=r"tiny\.mlpackage"):
        open_model(path)


@pytest.mark.parametrize("kind", FORMATS)
def test_flipped_bytes_give_answers_or_an_input_error_and_nothing_else(
    tiny: Tiny, copy_of: Callable[[Path], Path], kind: str
) -> None:
    path = copy_of(getattr(tiny, kind))
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    rng = np.random.default_rng(1)
    for _ in range(12):
        file = files[int(rng.integers(len(files)))]
        content = file.read_bytes()
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 4):
            damaged[place] = int(rng.integers(256))
        file.write_bytes(damaged)
        with contextlib.suppress(InputError):
            open_model(path).predict(tiny.images(1))
        file.write_bytes(content)


def test_a_file_that_asks_for_all_memory_is_an_error(
    tiny: Tiny, copy_of: Callable[[Path], Path]
) -> None:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    path = copy_of(tiny.tflite)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].shape = [1, 2**16, 2**16, 3]  # 48 GiB of float32
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(builder.Output())
    with pytest.raises(InputError, match=r"tiny\.tflite: LiteRT cannot run"):
        open_model(path)


@pytest.mark.parametrize(("kind", "module"), [("tflite", "litert"), ("onnx", "onnx")])
def test_the_file_is_tried_in_a_process_of_its_own_first(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, kind: str, module: str
) -> None:
    tried: list[Path] = []
    monkeypatch.setattr(
        f"runtimes.{module}_runtime.check_survives", lambda path, *_: tried.append(path)
    )
    path = getattr(tiny, kind)
    open_model(path)
    assert tried == [path]


def test_paths_that_are_no_models_say_what_would_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such model"):
        open_model(tmp_path / "gone.tflite")
    (tmp_path / "a.mlpackage").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match="unpack"):
        open_model(tmp_path / "a.mlpackage")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="run folder"):
        open_model(tmp_path / "empty")
    with pytest.raises(InputError, match=r"one of the models in it: a\.mlpackage"):
        open_model(tmp_path)
    (tmp_path / "student.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="Export it first"):
        open_model(tmp_path)


def test_threads_must_be_at_least_one(tiny: Tiny) -> None:
    with pytest.raises(InputError, match="expected 1 to 256"):
        open_model(tiny.tflite, threads=0)


@pytest.mark.parametrize("name", ["mobilenet_v2_1.0_224_quant", "tf2_mobilenet_v2_1.0_224_ptq"])
def test_foreign_classifiers_run_when_asked_for(shared: Path, name: str) -> None:
    folder = shared / "reference_models"
    labels = (folder / "imagenet_labels.txt").read_text().splitlines()
    parrot = load_image(folder / "parrot.jpg").resize((224, 224), Image.Resampling.BILINEAR)
    session = open_model(folder / f"{name}.tflite", require_contract=False)
    answer = session.predict(np.asarray(parrot)[None])
    assert session.contract is None
    assert "macaw" in labels[int(answer.probabilities[0].argmax())]
    assert np.isnan(answer.unknown).all()
    with pytest.raises(InputError, match="no contract"):
        open_model(folder / f"{name}.tflite")
