"""Sums of int8 products do not overflow, whatever the processor has for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.latency.onnx_opening import open_onnx
from runtimes.session import open_model

onnx = pytest.importorskip("onnx")

SIDE, CLASSES = 4, 8
LARGEST_INT8 = 127


@pytest.fixture
def brightest(tmp_path: Path) -> Path:
    """A fully connected int8 layer of which every product is the largest there is."""
    from onnx import TensorProto, helper, numpy_helper

    inputs = SIDE * SIDE * 3
    total = 255 * LARGEST_INT8 * inputs
    constants = {
        "one": np.float32(1),
        "no_shift": np.uint8(0),
        "flat": np.array([1, inputs]),
        "weights": np.full((inputs, CLASSES), LARGEST_INT8, np.int8),
        "even": np.int8(0),
        "largest": np.float32(total / 255),
    }
    nodes = [
        ("Reshape", ["image", "flat"], "pixels"),
        ("QuantizeLinear", ["pixels", "one", "no_shift"], "bytes"),
        ("DequantizeLinear", ["bytes", "one", "no_shift"], "rounded"),
        ("DequantizeLinear", ["weights", "one", "even"], "factors"),
        ("MatMul", ["rounded", "factors"], "sums"),
        ("QuantizeLinear", ["sums", "largest", "no_shift"], "sum_bytes"),
        ("DequantizeLinear", ["sum_bytes", "largest", "no_shift"], "answer"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, SIDE, SIDE, 3])
    answer = helper.make_tensor_value_info("answer", TensorProto.FLOAT, [1, CLASSES])
    graph = helper.make_graph(
        [helper.make_node(kind, names, [result]) for kind, names, result in nodes],
        *("brightest", [image], [answer]),
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opset = helper.make_opsetid("", 20)
    path = tmp_path / "brightest.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=10), str(path))
    return path


def test_the_largest_products_add_up_when_predicting_and_when_timing(brightest: Path) -> None:
    image = np.full((1, SIDE, SIDE, 3), 255, np.uint8)
    total = 255 * LARGEST_INT8 * SIDE * SIDE * 3
    found = open_model(brightest, require_contract=False).predict(image)
    assert found.probabilities == pytest.approx(total, rel=1e-6)
    timed = open_onnx(brightest, threads=1).run(None, {"image": image.astype(np.float32)})
    assert timed[0] == pytest.approx(total, rel=1e-6)
