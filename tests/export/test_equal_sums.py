"""Int8 additions are rounded alike whatever computes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from export.quantization.aware.steps import Range
from export.quantization.equal_sums import Addition, equal_sums

# As they were measured on the released student; ONNX Runtime's x86 kernel rounds one of the 65,536
# sums of the second addition down and its ARM kernel up.
MEASURED = {
    "conv2d_32": (0.11465325951576233, 126),
    "conv2d_35": (0.088553287088871, 126),
    "add_658": (0.1245662048459053, 122),
    "conv2d_38": (0.16871872544288635, 122),
    "add_715": (0.21548910439014435, 126),
}
ADDITIONS = (
    Addition(("conv2d_32", "conv2d_35"), "add_658"),
    Addition(("add_658", "conv2d_38"), "add_715"),
)


def _ranges() -> dict[str, tuple[float, float]]:
    return {
        name: (-scale * zero_point, scale * (255 - zero_point))
        for name, (scale, zero_point) in MEASURED.items()
    }


def _run(addition: Addition, ranges: Mapping[str, Range], fused: bool) -> np.ndarray:
    """All 256 · 256 sums by ONNX Runtime, as one int8 operator or in float between two others."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the onnx group")
    from onnx import TensorProto, helper, numpy_helper

    names = (*addition.inputs, addition.output)
    constants = []
    for letter, name in zip("abc", names, strict=True):
        span = ranges[name]
        constants.append(numpy_helper.from_array(np.float32(span.scale), f"{letter}_scale"))
        constants.append(numpy_helper.from_array(np.uint8(span.zero_point), f"{letter}_zero"))
    nodes = [
        helper.make_node("DequantizeLinear", ["a", "a_scale", "a_zero"], ["a_real"]),
        helper.make_node("DequantizeLinear", ["b", "b_scale", "b_zero"], ["b_real"]),
        helper.make_node("Add", ["a_real", "b_real"], ["c_real"]),
        helper.make_node("QuantizeLinear", ["c_real", "c_scale", "c_zero"], ["c"]),
    ]

    def value(name: str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.UINT8, [1 << 16])

    graph = helper.make_graph(nodes, "sum", [value("a"), value("b")], [value("c")], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    if not fused:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    a, b = _steps()
    found: np.ndarray = session.run(None, {"a": a, "b": b})[0]
    return found


def _steps() -> tuple[np.ndarray, np.ndarray]:
    a, b = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    return a.ravel().astype(np.uint8), b.ravel().astype(np.uint8)


def _exact(addition: Addition, ranges: Mapping[str, Range]) -> tuple[np.ndarray, float]:
    """The sums in whole numbers, and how near one comes to a middle, in steps."""
    first, second, given = (ranges[name] for name in (*addition.inputs, addition.output))
    a, b = (steps.astype(np.int64) for steps in _steps())
    unit = 2.0**-40  # of which every float32 scale here is a multiple
    weights = [round(each.scale / unit) for each in (first, second, given)]
    total = (a - first.zero_point) * weights[0] + (b - second.zero_point) * weights[1]
    wanted = np.clip((2 * total + weights[2]) // (2 * weights[2]) + given.zero_point, 0, 255)
    part = (total % weights[2]) / weights[2]
    return wanted.astype(np.uint8), float(np.abs(part - 0.5).min())


@pytest.mark.parametrize("addition", ADDITIONS)
def test_every_sum_is_the_exact_one_with_any_kernel(addition: Addition) -> None:
    measured = {name: Range(*each) for name, each in MEASURED.items()}
    before = [_exact(each, measured)[1] for each in ADDITIONS]
    assert min(before) < 2e-5  # about as far as float32 goes wrong there
    ranges = equal_sums(_ranges(), ADDITIONS)
    wanted, distance = _exact(addition, ranges)
    assert distance > 4.8e-4
    for fused in (True, False):
        np.testing.assert_array_equal(_run(addition, ranges, fused), wanted)


def test_ranges_hardly_move_and_zero_stays_a_step() -> None:
    found = equal_sums(_ranges(), ADDITIONS)
    assert found.keys() == MEASURED.keys()
    for name, (scale, zero_point) in MEASURED.items():
        assert found[name].scale == pytest.approx(scale, rel=2e-3)
        assert abs(found[name].zero_point - zero_point) <= 1


def test_additions_that_share_no_tensor_have_units_of_their_own() -> None:
    ranges = {
        **_ranges(),
        **{name: (-1e-4, 2e-4) for name in ("small_a", "small_b", "small_sum")},
    }
    small = Addition(("small_a", "small_b"), "small_sum")
    found = equal_sums(ranges, (*ADDITIONS, small))
    assert found.keys() == ranges.keys()
    assert _exact(small, found)[1] > 4.8e-4


@pytest.mark.parametrize("input_range", [(-1e-4, 1e-4), None])
def test_scales_too_far_apart_or_unknown_stay_as_they_were(
    input_range: tuple[float, float] | None,
) -> None:
    ranges = _ranges()
    del ranges["conv2d_38"]
    if input_range is not None:
        ranges["conv2d_38"] = input_range
    found = equal_sums(ranges, ADDITIONS)
    # without the second addition the first one is alone; with it they share add_658
    assert found.keys() == (set() if input_range else {"conv2d_32", "conv2d_35", "add_658"})
