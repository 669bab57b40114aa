"""The unknown score in the graph: what was fitted, in every kind of file, of this student only."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from distill.models import Classifier
from distill.unknown import fit_unknown, load_unknown, save_unknown
from export import onnx_export, tflite_export
from export.deployable import Deployable
from export.reference import reference_session
from export.tflite_names import operations
from export.tflite_shape import shape_findings
from runtimes.contract import Contract
from runtimes.contract_decision import Decision
from runtimes.errors import InputError

from .conftest import SIZE


@pytest.fixture(scope="module")
def scored(classifier: Classifier, images: np.ndarray) -> Classifier:
    other = copy.deepcopy(classifier)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        known = other((pixels - 128) / 127.5)
    other.unknown = fit_unknown(known.pooled.numpy(), known.logits.numpy(), 6, 1.5)
    return other


def _expected(scored: Classifier, images: np.ndarray) -> np.ndarray:
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        known = scored((pixels - 128) / 127.5)
    assert scored.unknown is not None
    return scored.unknown.of(known.pooled, known.logits).numpy()


def test_the_graph_scores_as_the_fit_does(scored: Classifier, images: np.ndarray) -> None:
    expected = _expected(scored, images)
    assert expected.std() > 0.5
    with torch.no_grad():
        answer = Deployable(scored, 1.3)(torch.from_numpy(images).float())
    assert np.abs(answer.unknown.numpy() - expected).max() < 1e-3
    plain = -(answer.cam.mean(dim=(1, 2)) + scored.classifier.bias).amax(dim=1)
    assert np.abs(answer.unknown.numpy() - plain.numpy()).max() > 0.1


def test_the_reference_scores_alike(
    scored: Classifier, images: np.ndarray, contract: Contract
) -> None:
    found = reference_session(scored, contract).predict(images).unknown
    assert np.abs(found - _expected(scored, images)).max() < 1e-3


def test_onnx_files_score_alike_also_in_half_and_int8(
    scored: Classifier, images: np.ndarray
) -> None:
    expected = _expected(scored, images)
    model = onnx_export.convert(Deployable(scored, 1.3), SIZE)
    halved = onnx_export.halve_trunk(model)
    rounded = onnx_export.quantize_static(model, images[:32])
    for each, allowed in ((model, 1e-3), (halved, 3e-2), (rounded, 0.5)):
        options = onnxruntime.SessionOptions()  # as the file says, whatever the processor can do
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(each.SerializeToString(), options)
        (found,) = session.run(["unknown"], {"image": images.astype(np.float32)})
        error = np.sqrt(np.mean((found - expected) ** 2)) / expected.std()
        assert error < allowed


def test_an_int8_tflite_stores_the_head_in_bytes_and_computes_it_in_float(
    scored: Classifier, images: np.ndarray
) -> None:
    content = tflite_export.convert(Deployable(scored, 1.3), SIZE)
    quantized = tflite_export.quantize_static(content, images[:32])
    assert [each for each in shape_findings(quantized) if each.avoidable] == []
    types, found = _types(quantized), operations(quantized)
    turned = {each.outputs[0]: each.inputs[0] for each in found if each.kind == "DEQUANTIZE"}
    for output, kind, weight in (
        ("cam", "CONV_2D", "class_weight/weight"),
        ("unknown/projection", "FULLY_CONNECTED", "unknown/projection/weight"),
    ):
        (own,) = (each for each in found if each.outputs[0] == output)
        assert (own.kind, turned.pop(own.inputs[1]), types[weight]) == (kind, weight, "INT8")
        assert types[own.inputs[0]] == types[output] == "FLOAT32"
    assert len(turned) == 2  # the pixels' type, and the last map
    assert "TRANSPOSE" not in [each.kind for each in found]


def test_weights_in_bytes_answer_as_those_in_float(
    scored: Classifier, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = tflite_export.convert(Deployable(scored, 1.3), SIZE)
    in_bytes = tflite_export.quantize_static(content, images[:32])
    with monkeypatch.context() as patched:
        patched.setattr(tflite_export, "_stored_as_int8", lambda content: [])
        in_float = tflite_export.quantize_static(content, images[:32])
    assert _types(in_float)["class_weight/weight"] == "FLOAT32"
    answers = [_answers(each, images[:24]) for each in (in_bytes, in_float)]
    # A score of 24 features is rounded more than one of 1,280, whose errors cancel.
    for name, allowed in (("cam", 0.02), ("unknown", 0.1)):
        found, expected = (each[name] for each in answers)
        error = float(np.sqrt(np.mean((found - expected) ** 2)) / expected.std())
        assert 0 < error < allowed, name


def _types(content: bytes) -> dict[str, str]:
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    called = {value: name for name, value in vars(schema.TensorType).items() if name.isupper()}
    graph = flatbuffer_utils.read_model_from_bytearray(bytearray(content)).subgraphs[0]
    return {tensor.name.decode(): called[tensor.type] for tensor in graph.tensors}


def _answers(content: bytes, images: np.ndarray) -> dict[str, np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(model_content=content, num_threads=1).get_signature_runner()
    each = [run(image=image[None]) for image in images]
    return {name: np.concatenate([answer[name] for answer in each]) for name in each[0]}


def test_a_score_comes_back_from_disk_and_belongs_to_one_student(
    scored: Classifier, tmp_path: Path
) -> None:
    path, own = tmp_path / "unknown.safetensors", scored.unknown
    assert own is not None
    save_unknown(path, own, "a" * 64)
    found = load_unknown(path, "a" * 64, 24)
    assert (found.scale, found.share) == (own.scale, own.share)
    assert torch.equal(found.projection, own.projection)
    with pytest.raises(InputError, match="another student"):
        load_unknown(path, "b" * 64, 24)
    with pytest.raises(InputError, match="the student has 25"):
        load_unknown(path, "a" * 64, 25)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match="damaged"):
        load_unknown(path, "a" * 64, 24)


def test_a_student_without_its_own_score_keeps_minus_the_largest_logit(
    classifier: Classifier, images: np.ndarray, contract: Contract
) -> None:
    assert classifier.unknown is None
    answer = reference_session(classifier, contract).predict(images)
    logits = answer.cam.mean(axis=(1, 2)) + classifier.classifier.bias.numpy()
    assert np.abs(answer.unknown + logits.max(axis=1)).max() < 1e-4


def test_the_contract_says_what_the_output_is(contract: Contract) -> None:
    told = replace(contract, decision=Decision("features", None, (), {}))
    assert "minus the largest logit; above" in contract.to_json()
    assert "distance of the pooled features" in told.to_json()
