"""Tensors that float16 cannot hold are named, and kept in float32 by every format that can."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from distill.models import Classifier
from export.conversions import Conversions
from export.deployable import Deployable
from export.formats import Format, select_formats
from export.half_report import half_record, half_warnings
from export.half_trunk import MARK, mixed_trunk, with_marked_operations
from export.noise import quiet_converters
from export.quantization.half_check import check_half, watch_outputs
from export.quantization.half_range import UNDERFLOW_LIMIT, HalfCheck
from runtimes.contract import Contract
from runtimes.hashes import sha256_of
from runtimes.metadata import embed_contract
from runtimes.prediction import Prediction
from runtimes.session import open_model

quiet_converters()
HALF_FORMATS = ("onnx:fp16", "coreml:fp16", "coreml:int8-weights", "tflite:fp16")
GROUPS = {"onnx": "onnxscript", "coreml": "coremltools", "tflite": "litert_torch"}


class WithDetour(nn.Module):
    """A trunk whose last map goes through numbers that float16 has none for, and back."""

    def __init__(self, trunk: nn.Module, *, loud: bool) -> None:
        super().__init__()
        self.body = trunk
        self.away = nn.Sequential(*(nn.Conv2d(24, 24, 1, bias=False) for _ in range(2)))
        self.back = nn.Sequential(*(nn.Conv2d(24, 24, 1, bias=False) for _ in range(2)))
        self.relu = nn.ReLU()
        mix = nn.init.orthogonal_(torch.empty(24, 24))
        away, back = [mix, torch.eye(24)], [torch.eye(24), mix.T.contiguous()]
        if loud:
            away, back = [each * 300 for each in away], [each / 300 for each in back]
        else:
            mix[0] *= 1e-7
            back[0][0, 0] = 1e4
            back[1][:, 0] *= 1e3
        for module, weight in zip((*self.away, *self.back), (*away, *back), strict=True):
            module.weight = nn.Parameter(weight[:, :, None, None])

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) to (N, 24, S / 4, S / 4)."""
        far = self.away(self.body(pixels))
        return self.back(self.relu(far) + far)


def _with_detour(classifier: Classifier, *, loud: bool) -> Classifier:
    torch.manual_seed(0)
    trunk = WithDetour(classifier.trunk, loud=loud)
    found = Classifier("tiny", trunk, 24, 4, 0.1)
    found.classifier.load_state_dict(classifier.classifier.state_dict())
    return found.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def loud(classifier: Classifier) -> Classifier:
    return _with_detour(classifier, loud=True)


def _check(classifier: Classifier, images: np.ndarray) -> HalfCheck:
    deployable = Deployable(classifier, 1.3)
    return check_half(deployable, images, watch_outputs(deployable, images))


@pytest.fixture(scope="module")
def faint(classifier: Classifier) -> Classifier:
    return _with_detour(classifier, loud=False)


def test_outputs_beyond_float16_are_named_with_those_that_read_them(
    loud: Classifier, images: np.ndarray
) -> None:
    check = _check(loud, images)
    assert [tensor.name for tensor in check.at_risk] == ["away.1", "relu", "add_1"]
    assert check.largest_output.name == "add_1"
    assert check.largest_output.headroom < 1
    assert check.float_nodes == {"away_1", "relu", "add_1", "back_0"}
    assert check.float_modules == {"away.1", "relu", "back.0"}
    assert check.float_numbers == 2 * 24 * 24


def test_an_output_that_larger_images_may_carry_beyond_is_named(
    classifier: Classifier, images: np.ndarray
) -> None:
    found = _with_detour(classifier, loud=True)
    found.trunk.away[1].weight.mul_(0.05)
    check = _check(found, images)
    assert 1 < check.largest_output.headroom < 4
    assert [tensor.name for tensor in check.overflow] == ["away.1", "relu", "add_1"]


def test_a_channel_of_weights_that_the_answer_needs_is_named(
    faint: Classifier, images: np.ndarray
) -> None:
    check = _check(faint, images)
    assert check.underflow_decibels < UNDERFLOW_LIMIT
    names = {tensor.name for tensor in check.at_risk}
    assert names == {"away.0.weight", "away.0", "away.1", "relu", "add_1"}
    weight = next(tensor for tensor in check.tensors if tensor.name == "away.0.weight")
    assert (weight.lost, weight.channels, weight.stored) == (1, 24, True)


def test_a_channel_that_the_answer_does_not_need_is_not_at_risk(
    classifier: Classifier, images: np.ndarray
) -> None:
    found = _with_detour(classifier, loud=False)
    found.trunk.back[0].weight[:, 0] = 0
    check = _check(found, images)
    assert any(tensor.lost for tensor in check.tensors)
    assert check.at_risk == ()


def test_a_normal_network_keeps_nothing(classifier: Classifier, images: np.ndarray) -> None:
    check = _check(classifier, images)
    assert check.at_risk == ()
    assert check.float_nodes == check.float_modules == frozenset()


def _form(key: str) -> Format:
    (form,) = select_formats([key])
    pytest.importorskip(GROUPS[form.family], reason=f"needs the {form.family} group")
    return form


def _written(
    key: str, classifier: Classifier, contract: Contract, images: np.ndarray, folder: Path
) -> Path:
    form = _form(key)
    path = folder / f"found{form.suffix}"
    Conversions(classifier, contract, images).write(form, path)
    embed_contract(path, contract)
    return path


def _answers(path: Path, images: np.ndarray) -> Prediction:
    return open_model(path).predict(images[:8])


def _torch(classifier: Classifier, contract: Contract, images: np.ndarray) -> Prediction:
    found = Deployable(classifier, contract.calibration.temperature)(
        torch.from_numpy(images[:8]).float()
    )
    return Prediction(*(value.numpy() for value in found))


@pytest.mark.parametrize("key", HALF_FORMATS)
@pytest.mark.parametrize("which", ["loud", "faint"])
def test_the_file_answers_as_torch(
    key: str,
    which: str,
    contract: Contract,
    images: np.ndarray,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    network = request.getfixturevalue(which)
    found = _answers(_written(key, network, contract, images, tmp_path), images)
    wanted = _torch(network, contract, images)
    assert np.abs(found.probabilities - wanted.probabilities).max() < 0.02
    assert np.abs(found.cam - wanted.cam).max() < 0.2


def test_core_ml_would_not_without_these_operations(
    loud: Classifier, contract: Contract, images: np.ndarray, tmp_path: Path
) -> None:
    form = _form("coreml:fp16")
    from export import coreml_export

    path = tmp_path / "plain.mlpackage"
    module = Deployable(loud, contract.calibration.temperature).channels_first()
    coreml_export.write(coreml_export.convert(module, 32, form.core_ml_target), path)
    embed_contract(path, contract)
    wanted = _torch(loud, contract, images)
    assert not np.abs(_answers(path, images).cam - wanted.cam).max() < 1


def test_onnx_answers_where_float16_is_not_silently_widened(
    loud: Classifier, contract: Contract, images: np.ndarray, tmp_path: Path
) -> None:
    _form("onnx:fp16")
    from onnx.reference import ReferenceEvaluator  # ONNX Runtime computes in float32 on a CPU

    from export import onnx_export

    def cam(path: Path) -> np.ndarray:
        with np.errstate(all="ignore"):
            found = ReferenceEvaluator(str(path)).run(["cam"], {"image": images[:1].astype("f4")})
        return np.asarray(found[0])

    wanted = _torch(loud, contract, images).cam[:1]
    assert np.abs(cam(_written("onnx:fp16", loud, contract, images, tmp_path)) - wanted).max() < 0.2
    module = Deployable(loud, contract.calibration.temperature)
    plain = onnx_export.halve_trunk(onnx_export.convert(module, 32))
    onnx_export.write(plain, tmp_path / "plain.onnx")
    assert not np.abs(cam(tmp_path / "plain.onnx") - wanted).max() < 1


def test_onnx_computes_them_in_float32_and_all_else_in_float16(
    loud: Classifier, contract: Contract, images: np.ndarray, tmp_path: Path
) -> None:
    path = _written("onnx:fp16", loud, contract, images, tmp_path)
    import onnx

    model = onnx.load_model(str(path))
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    single = {name for name, kind in types.items() if kind == onnx.TensorProto.FLOAT}
    weights = {name for name in single if name.startswith("trunk.")}
    assert {name.removesuffix(".bias").removesuffix(".weight") for name in weights} == {
        "trunk.away.1",
        "trunk.back.0",
    }


def test_core_ml_computes_them_in_float32_and_all_else_in_float16(
    loud: Classifier, contract: Contract, images: np.ndarray
) -> None:
    form = _form("coreml:fp16")
    from coremltools.converters.mil.mil import types

    from export import coreml_export

    module = Deployable(loud, 1.3).channels_first()
    kept = _check(loud, images).float_nodes
    package = coreml_export.convert(module, 32, form.core_ml_target, kept)
    operations = package._mil_program.functions["main"].operations
    single = [
        operation.op_type
        for operation in operations
        if operation.op_type not in ("const", "cast") and operation.outputs[0].dtype == types.fp32
    ]
    assert single == ["conv", "relu", "add", "conv"]


def test_tflite_stores_such_weights_in_float32_and_the_others_in_float16(
    faint: Classifier, contract: Contract, images: np.ndarray, tmp_path: Path
) -> None:
    path = _written("tflite:fp16", faint, contract, images, tmp_path)
    from ai_edge_litert.interpreter import Interpreter

    details = Interpreter(model_path=str(path)).get_tensor_details()
    types = {tensor["name"]: tensor["dtype"] for tensor in details}
    weights = {name: kind for name, kind in types.items() if name.endswith("/weight")}
    single = {name for name, kind in weights.items() if kind == np.float32}
    assert single == {"trunk/away.0/weight", "class_weight/weight"}


@pytest.mark.parametrize("key", HALF_FORMATS)
def test_a_normal_networks_file_is_the_same_as_without_the_check(
    key: str,
    classifier: Classifier,
    contract: Contract,
    images: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form = _form(key)
    paths = [tmp_path / f"{name}{form.suffix}" for name in ("checked", "plain")]
    Conversions(classifier, contract, images).write(form, paths[0])
    nothing = _check(classifier, images)
    for name in ("_checked", "_checked_first", "_checked_int8"):
        monkeypatch.setattr(Conversions, name, nothing)
    Conversions(classifier, contract, images).write(form, paths[1])
    assert sha256_of(paths[0]) == sha256_of(paths[1])
    assert nothing.float_nodes == frozenset()


def test_the_manifest_and_the_warnings_name_what_each_file_keeps(
    loud: Classifier, faint: Classifier, contract: Contract, images: np.ndarray
) -> None:
    conversions = Conversions(loud, contract, images)

    def told(key: str) -> tuple[dict[str, bool], str]:
        (form,) = select_formats([key])
        check = conversions.half_check(form)
        assert check is not None
        record = half_record(form, check)
        assert record["images"] == (16 if "8" in form.precision else 32)
        assert {each["risk"] for each in record["at_risk"]} == {"overflow"}
        kept = {each["tensor"]: each["float32"] for each in record["at_risk"]}
        return kept, " ".join(half_warnings(form, check))

    for key in ("onnx:fp16", "coreml:fp16", "coreml:int8-weights"):
        kept, text = told(key)
        assert kept == dict.fromkeys(("away.1", "relu", "add_1"), True)
        assert f"{key}: kept in float32" in text
        assert "away.1 (reaches" in text
    for key, reason in (("tflite:fp16", "GPU"), ("coreml:w8a8", "cannot keep")):
        kept, text = told(key)
        assert kept == dict.fromkeys(("away.1", "relu", "add_1"), False)
        assert reason in text
        assert "kept in float32" not in text
    for key in ("onnx:fp32", "tflite:int8", "onnx:int8"):
        (form,) = select_formats([key])
        assert conversions.half_check(form) is None
    (form,) = select_formats(["tflite:fp16"])
    check = _check(faint, images)
    first, second = half_warnings(form, check)
    assert "away.0.weight (1 of 24 channels are too small)" in first
    assert "away.0.weight" not in second


def test_the_check_sees_the_weights_that_the_format_gets(
    classifier: Classifier, images: np.ndarray
) -> None:
    deployable = Deployable(classifier, 1.3)
    outputs = watch_outputs(deployable, images)
    largest = [
        check_half(module, images, outputs).tensors[0].largest
        for module in (deployable, deployable.channels_first())
    ]
    assert largest[1] == 128 * largest[0]


class Shuffled(nn.Module):
    """Parts of a tuple, and a shape, on the way from one convolution to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(2, 4, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) to (N, 8, S, S)."""
        left, right = self.first(pixels).chunk(2, dim=1)
        count, _, height, width = left.size()
        both = torch.cat([self.second(left), self.second(right)], 1)
        return both.view(count, 2, 4, height, width).transpose(1, 2).reshape(both.shape)


def _shuffled(loudness: float) -> Deployable:
    torch.manual_seed(0)
    found = Deployable(Classifier("shuffled", Shuffled().eval(), 8, 4, 0.1), 1.3)
    with torch.no_grad():
        dict(found.trunk.named_parameters())["first.weight"].mul_(loudness)
    return found


def test_shapes_are_no_readers_of_what_overflows(images: np.ndarray) -> None:
    loud = _shuffled(1e5)
    check = check_half(loud, images[:8], watch_outputs(loud, images[:8]))
    assert {"first", "chunk", "second"} <= check.float_nodes
    assert "size" not in check.float_nodes


@pytest.mark.parametrize("kept", [set(), {"second"}, {"getitem_1"}, {"view"}])
def test_a_mixed_trunk_answers_as_the_trunk_did(kept: set[str], images: np.ndarray) -> None:
    deployable = _shuffled(1.0)
    tensors = check_half(deployable, images, watch_outputs(deployable, images)).tensor_nodes
    pixels = deployable.trunk_input(images[:2])
    found = mixed_trunk(deployable.trunk, kept, tensors)(pixels)
    assert found.dtype == torch.float32
    assert torch.allclose(found, deployable.trunk(pixels), atol=1e-2)


@pytest.mark.parametrize("kept", [{"second"}, {"view", "cat"}, {"chunk", "second_1", "reshape"}])
def test_marked_operations_answer_as_before(kept: set[str]) -> None:
    trunk, pixels = Shuffled().eval(), torch.rand(2, 3, 8, 8)
    marked = with_marked_operations(trunk, kept)
    assert torch.equal(marked(pixels), trunk(pixels))
    assert {MARK + name for name in kept} <= dict(marked.named_children()).keys()


def test_the_size_gate_knows_what_is_in_float32() -> None:
    (form,) = select_formats(["tflite:fp16"])
    assert form.largest_file(1000, 100) - form.largest_file(1000) == 1.25 * 2 * 100
