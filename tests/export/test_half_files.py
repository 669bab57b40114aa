"""Files keep in float32 what float16 cannot hold, and all else in float16."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from distill.models import Classifier
from export.conversions import Conversions
from export.deployable import Deployable
from export.formats import Format, select_formats
from export.half_trunk import MARK
from export.noise import quiet_converters
from runtimes.contract import Contract
from runtimes.metadata import embed_contract
from runtimes.prediction import Prediction
from runtimes.session import open_model

from .half_networks import checked

quiet_converters()
HALF_FORMATS = ("onnx:fp16", "coreml:fp16", "coreml:int8-weights", "tflite:fp16")
GROUPS = {"onnx": "onnxscript", "coreml": "coremltools", "tflite": "litert_torch"}


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
    kept = checked(loud, images).float_nodes
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


def test_what_core_ml_keeps_is_called_after_its_module(
    loud: Classifier, contract: Contract, images: np.ndarray, tmp_path: Path
) -> None:
    path = _written("coreml:int8-weights", loud, contract, images, tmp_path)
    left = Conversions(loud, contract, images).left_in_float(_form("coreml:int8-weights"), path)
    assert {"conv away.0", "conv away.1", "conv back.0", "conv back.1"} <= set(left)
    assert not any(MARK in name for name in left)
