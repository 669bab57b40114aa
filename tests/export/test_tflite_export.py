"""TFLite files have the shape that phones run fast, and names that people can read."""

from __future__ import annotations

import gc
import sys
from typing import Any

import numpy as np
import pytest
import torch

from distill.models import Classifier
from export.deployable import Deployable
from export.noise import native_chatter, quiet_converters
from export.quantization.activation_ranges import measure_ranges
from export.quantization.bias_correction import (
    Rounding,
    correct_biases,
    exact,
    exact_activation,
    integer,
)
from export.quantization.range_estimators import GROUP
from export.tflite_names import module_of, operations

pytest.importorskip("litert_torch", reason="needs the tflite group")
from export import tflite_export

quiet_converters()
SIZE = 32


@pytest.fixture(scope="module")
def deployable(classifier: Classifier) -> Deployable:
    return Deployable(classifier, 1.3)


@pytest.fixture(scope="module")
def content(deployable: Deployable) -> bytes:
    with native_chatter():
        return tflite_export.convert(deployable, SIZE)


@pytest.fixture(scope="module")
def integer_content(content: bytes, images: np.ndarray) -> bytes:
    with native_chatter():
        return tflite_export.quantize_static(content, images)


def _interpreter(content: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    with native_chatter():
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    return interpreter


def _answers(content: bytes, images: np.ndarray) -> dict[str, np.ndarray]:
    run = _interpreter(content).get_signature_runner()
    kind = run.get_input_details()["image"]["dtype"]
    found = [run(image=image[None].astype(kind)) for image in images]
    return {name: np.concatenate([each[name] for each in found]) for name in found[0]}


def test_no_callback_of_the_converter_swallows_an_interrupt(content: bytes) -> None:
    """What is raised while garbage is collected is lost: Ctrl-C too, in jax's callback."""
    assert content
    assert "jax" in sys.modules
    assert not [each for each in gc.callbacks if "jax" in (each.__module__ or "")]


def test_float_answers_are_torchs(
    content: bytes, deployable: Deployable, images: np.ndarray
) -> None:
    wanted = deployable(torch.from_numpy(images).float())
    found = _answers(content, images)
    assert np.abs(found["probabilities"] - wanted.probabilities.numpy()).max() < 1e-5
    assert np.abs(found["cam"] - wanted.cam.numpy()).max() < 1e-3
    assert np.abs(found["unknown"] - wanted.unknown.numpy()).max() < 1e-3


def test_no_transpose_and_tensors_named_after_modules(content: bytes) -> None:
    graph = operations(content)
    assert "TRANSPOSE" not in {operation.kind for operation in graph}
    assert graph[0].inputs[0] == "image"
    written = {name for operation in graph for name in operation.outputs}
    assert {"probabilities", "cam", "unknown"} <= written
    assert {"trunk/stem.0", "trunk/depthwise.0", "trunk/project.0", "trunk/last.0"} <= written
    names = [name for operation in graph for name in (*operation.inputs, *operation.outputs)]
    scopes = {"image", "input", "trunk", "class_weight", "head", "probabilities", "cam", "unknown"}
    assert {name.split("/")[0] for name in names} <= scopes


def test_int8_takes_bytes_and_changes_the_type_at_the_entrance_and_before_the_float_head(
    integer_content: bytes,
) -> None:
    graph = operations(integer_content)
    changes = [
        operation
        for operation in graph
        if operation.kind in ("QUANTIZE", "DEQUANTIZE") and module_of(operation) is None
    ]
    assert [change.kind for change in changes] == ["DEQUANTIZE", "QUANTIZE", "DEQUANTIZE"]
    assert changes[0].inputs[0] == "image"
    assert changes[1].inputs == changes[0].outputs
    interpreter = _interpreter(integer_content)
    assert [tensor["dtype"] for tensor in interpreter.get_input_details()] == [np.uint8]
    assert {tensor["dtype"] for tensor in interpreter.get_output_details()} == {np.float32}
    types = {tensor["name"]: tensor["dtype"] for tensor in interpreter.get_tensor_details()}
    assert types["trunk/stem.0/weight"] == types["trunk/last.0"] == np.int8
    assert types["class_weight/weight"] == np.int8
    assert types["cam"] == np.float32


def test_int8_pixels_are_whole_steps_and_weights_have_a_scale_per_channel(
    integer_content: bytes,
) -> None:
    details = {t["name"]: t for t in _interpreter(integer_content).get_tensor_details()}
    (quantize,) = (o for o in operations(integer_content) if o.kind == "QUANTIZE")
    assert details[quantize.outputs[0]]["quantization"] == (1.0, 0)
    assert len(details["trunk/last.0/weight"]["quantization_parameters"]["scales"]) == 24


def test_int8_answers_resemble_torchs(
    integer_content: bytes, deployable: Deployable, images: np.ndarray
) -> None:
    wanted = deployable(torch.from_numpy(images).float())
    found = _answers(integer_content, images)
    difference = np.abs(found["probabilities"] - wanted.probabilities.numpy())
    assert 0 < difference.max() < 0.2
    assert difference.mean() < 0.02


def test_half_weights_halve_the_file_and_hardly_change_an_answer(
    content: bytes, images: np.ndarray
) -> None:
    with native_chatter():
        halved = tflite_export.half_weights(content)
    assert len(halved) < len(content)
    found, wanted = _answers(halved, images[:8]), _answers(content, images[:8])
    assert 0 < np.abs(found["cam"] - wanted["cam"]).max() < 0.05


def test_ranges_are_the_mean_of_groups_and_hold_all_pixels(
    content: bytes, images: np.ndarray
) -> None:
    with native_chatter():
        first, second, both = (
            measure_ranges(content, part, 1)
            for part in (images[:GROUP], images[GROUP : 2 * GROUP], images[: 2 * GROUP])
        )
    assert both["input/sub_0"]["min"].item() == -128
    assert both["input/sub_0"]["max"].item() == 127
    for name, measured in both.items():
        for end in ("min", "max"):
            groups = [part[name][end].item() for part in (first, second)]
            assert measured[end].item() == pytest.approx(np.mean(groups), abs=1e-5), name
        assert measured["min"].item() <= 0 <= measured["max"].item()
    assert any(first[name]["max"].item() != second[name]["max"].item() for name in both)


def test_other_numbers_need_no_second_conversion(
    content: bytes, deployable: Deployable, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounding = Rounding(integer(), exact, exact_activation)
    corrected = correct_biases(deployable, images, rounding)
    monkeypatch.setattr(tflite_export, "convert", None)
    again = tflite_export.convert_again(content, deployable, corrected, SIZE)
    wanted = corrected(torch.from_numpy(images[:8]).float())
    assert np.abs(_answers(again, images[:8])["cam"] - wanted.cam.numpy()).max() < 1e-3
    assert len(again) < 1.05 * len(content)


def test_a_file_whose_numbers_the_converter_changed_is_converted_again(
    content: bytes, deployable: Deployable, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(tflite_export, "convert", lambda *words: asked.append(words) or b"new")
    shifted = deployable.with_trunk(torch.nn.Identity())
    parameters = {k: v + 1 for k, v in tflite_export._parameters(deployable).items()}
    monkeypatch.setattr(
        tflite_export,
        "_parameters",
        lambda module: parameters if module is shifted else {k: v for k, v in parameters.items()},
    )
    assert tflite_export.convert_again(content, shifted, deployable, SIZE) == b"new"
    assert len(asked) == 1
