"""An int8 .tflite has the shape that phones run fast, or the operator at fault is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from distill.models import Classifier, build_classifier
from distill.unknown import UnknownScore
from export.conversions import Conversions
from export.deployable import Deployable
from export.formats import select_formats
from export.golden import golden_images
from export.noise import native_chatter, quiet_converters
from export.quantization.settings import DEFAULT
from export.reference import reference_session
from export.tflite_shape import Finding, shape_findings
from export.verify import verify_file
from runtimes.contract import Contract, Label
from runtimes.metadata import embed_contract
from runtimes.session import open_model

pytest.importorskip("litert_torch", reason="needs the tflite group")
from export import tflite_export

quiet_converters()
SIZE = 32
LARGEST_MOBILENET_V2, LARGEST_RANK = 2_500_000, 16


@pytest.fixture(scope="module")
def float_content(classifier: Classifier) -> bytes:
    with native_chatter():
        return tflite_export.convert(Deployable(classifier, 1.3), SIZE)


@pytest.fixture(scope="module")
def content(float_content: bytes, images: np.ndarray) -> bytes:
    with native_chatter():
        return tflite_export.quantize_static(float_content, images)


def _one(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, [str(each) for each in findings]
    return findings[0]


def test_an_exported_file_has_no_finding(content: bytes) -> None:
    assert shape_findings(content) == []


def test_its_answers_to_bytes_are_those_of_the_subtraction(
    float_content: bytes, content: bytes, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _answer(_with_subtraction(float_content, images, monkeypatch), images[:1])
    after = _answer(content, images[:1])
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_subtraction_before_the_first_convolution_is_named(
    float_content: bytes, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _one(shape_findings(_with_subtraction(float_content, images, monkeypatch)))
    assert (found.operator, found.position, found.module) == ("SUB", 0, "trunk/stem.0")
    assert found.avoidable
    assert "type of the input" in str(found)


class _Turned(nn.Module):
    """A trunk that exchanges rows and columns on the way, as a network in NCHW may be left."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.stem, self.project, self.last = trunk.stem, trunk.project, trunk.last

    def forward(self, pixels: Tensor) -> Tensor:
        return self.last(self.project(self.stem(pixels).permute(0, 1, 3, 2)))


def test_a_transposition_in_the_trunk_is_named_with_its_module(
    classifier: Classifier, images: np.ndarray
) -> None:
    turned = Classifier("turned", _Turned(classifier.trunk), 24, 4, 0.1).eval()
    with native_chatter():
        content = tflite_export.convert(Deployable(turned, 1.3), SIZE)
        content = tflite_export.quantize_static(content, images)
    found = [each for each in shape_findings(content) if each.operator == "TRANSPOSE"]
    assert {each.module for each in found} == {"trunk/stem.0"}
    assert f"TRANSPOSE (operator {found[0].position}) by trunk/stem.0: " in str(found[0])


def test_a_pair_of_changes_of_type_is_named_and_refused(
    content: bytes, classifier: Classifier, contract: Contract, images: np.ndarray, tmp_path: Path
) -> None:
    broken = _edited(content, _insert_pair)
    found = _one(shape_findings(broken))
    assert (found.operator, found.module) == ("QUANTIZE", "trunk/depthwise.0")
    assert found.avoidable
    path = tmp_path / "broken.tflite"
    for content_, faults in ((content, ()), (broken, (str(found),))):
        path.write_bytes(content_)
        embed_contract(path, contract)
        (form,) = select_formats(["tflite:int8"])
        reference = reference_session(classifier, contract).predict(images)
        answers = open_model(path).predict(images)
        verdict = verify_file(path, form, contract, answers, reference, parameters=2000)
        assert verdict.faults == faults


def test_an_int8_border_is_named(content: bytes) -> None:
    def narrow(model: Any, schema: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.inputs[0]].type = schema.TensorType.INT8

    found = _one(shape_findings(_edited(content, narrow)))
    assert (found.operator, found.position, found.module) == ("image", None, "trunk/stem.0")
    assert "INT8" in str(found)


def test_layers_left_in_float_need_no_other_shape(float_content: bytes, images: np.ndarray) -> None:
    for layers in (("stem.0", "depthwise.0"), ("project.0",), ("last.0",)):
        with native_chatter():
            mixed = tflite_export.quantize_static(float_content, images, float_layers=layers)
        assert shape_findings(mixed) == []


def test_a_float_first_convolution_reads_bytes_all_the_same(
    float_content: bytes, images: np.ndarray
) -> None:
    with native_chatter():
        mixed = tflite_export.quantize_static(float_content, images, float_layers=("stem.0",))
        whole = _answer(float_content, images[:1])
    kinds = [each.kind for each in tflite_export.operations(mixed)]
    assert kinds[0] == "DEQUANTIZE"
    assert "SUB" not in kinds
    assert np.abs(_answer(mixed, images[:1])["cam"] - whole["cam"]).max() < 1.5


@pytest.mark.slow
def test_mobilenet_v2_is_one_partition_and_at_most_two_and_a_half_megabytes(
    enliven: Callable[[Classifier, int], Classifier], contract: Contract, tmp_path: Path
) -> None:
    size = 64  # of the input; neither the file nor its operators depend on it
    classifier = enliven(build_classifier("mobilenet_v2", 8), size)
    numbers = torch.Generator().manual_seed(0)
    projection = torch.rand(LARGEST_RANK, 1280, generator=numbers) * 0.01
    classifier.unknown = UnknownScore(torch.rand(1280, generator=numbers), 0.1, projection, 0.5)
    contract = replace(
        contract,
        labels=tuple(Label(code, code) for code in "ABCDEFGH"),
        preprocessing=replace(contract.preprocessing, size=size),
    )
    plain = replace(DEFAULT, correct_biases=False, equalize=False)
    path = tmp_path / "mobilenet_v2.tflite"
    (form,) = select_formats(["tflite:int8"])
    Conversions(classifier, contract, golden_images(size), plain).write(form, path)
    embed_contract(path, contract)
    assert shape_findings(path.read_bytes()) == []
    assert "XNNPACK 1 partition " in open_model(path).backend
    assert path.stat().st_size <= LARGEST_MOBILENET_V2


def _with_subtraction(
    float_content: bytes, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> bytes:
    with native_chatter(), monkeypatch.context() as patched:
        patched.setattr(tflite_export, "take_bytes", lambda content: content)
        return tflite_export.quantize_static(float_content, images)


def _answer(content: bytes, image: np.ndarray) -> dict[str, np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    with native_chatter():
        interpreter = Interpreter(model_content=content, num_threads=1)
        run = interpreter.get_signature_runner()
        kind = run.get_input_details()["image"]["dtype"]
        return run(image=image.astype(kind))


def _edited(content: bytes, edit: Callable[[Any, Any], None]) -> bytes:
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    edit(model, schema)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _insert_pair(model: Any, schema: Any) -> None:
    """Turns the output of `depthwise.0` to float and back before it is read."""
    graph = model.subgraphs[0]
    names = [tensor.name.decode() for tensor in graph.tensors]
    source = names.index("trunk/depthwise.0")
    reader = next(op for op in graph.operators if source in op.inputs)
    position = graph.operators.index(reader)
    kinds = {code.builtinCode: i for i, code in enumerate(model.operatorCodes)}
    for name, kind, of_type in (
        ("trunk/there", schema.BuiltinOperator.DEQUANTIZE, schema.TensorType.FLOAT32),
        ("trunk/back", schema.BuiltinOperator.QUANTIZE, schema.TensorType.INT8),
    ):
        old = graph.tensors[source]
        tensor = schema.TensorT(shape=old.shape, type=of_type, buffer=0, name=name.encode())
        tensor.quantization = graph.tensors[names.index("trunk/depthwise.0")].quantization
        if of_type == schema.TensorType.FLOAT32:
            tensor.quantization = None
        graph.tensors.append(tensor)
        made = len(graph.tensors) - 1
        step = schema.OperatorT(opcodeIndex=kinds[kind], inputs=[source], outputs=[made])
        graph.operators.insert(position, step)
        source, position = made, position + 1
    reader.inputs = [source, *reader.inputs[1:]]
