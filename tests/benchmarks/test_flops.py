"""Operations, parameters and memory: against other counters, the paper, and graphs by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.commands import flops as command
from benchmarks.flops.graph import Graph, Step, cost_of, peak_bytes, without_rounding
from benchmarks.flops.report import NETWORKS, count_all, count_file, count_network
from benchmarks.flops.torch_graph import network_graph
from benchmarks.latency.files import find_files
from distill.models import build_classifier
from runtimes.console import Verb, run_program

from .conftest import Exported
from .tiny_models import write_onnx, write_tflite

VERB = (Verb("flops", "", command.__name__),)


@pytest.mark.parametrize("architecture", [*NETWORKS, "densenet169"])
def test_a_count_is_that_of_fvcore_and_of_torch(architecture: str) -> None:
    pytest.importorskip("fvcore", reason="needs the dev group")
    from fvcore.nn import FlopCountAnalysis

    found = count_network(architecture, 1000, 224)
    assert found.cost.flops == found.counter_flops
    assert not found.fault
    size = 64 if architecture == "efficientnet_b7" else 224  # fvcore computes what it counts
    cost = cost_of(network_graph(architecture, 1000, size))
    model = build_classifier(architecture, 1000).eval()
    counted = FlopCountAnalysis(model, torch.zeros(1, 3, size, size))
    counted.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    kinds = counted.by_operator()
    assert cost.macs == kinds["conv"] + kinds["linear"]
    assert cost.macs_with_batchnorm == cost.macs + kinds["batch_norm"]
    assert cost.macs_with_batchnorm == pytest.approx(counted.total(), rel=0.01)
    assert cost.parameters == sum(value.numel() for value in model.parameters())


def test_the_papers_figures_are_reached_in_its_convention() -> None:
    for name, published in NETWORKS.items():
        if published is not None:
            cost = count_network(name, 1000, 224).cost
            assert round(cost.macs_with_batchnorm / 1e9, 2) == published.giga_macs
            assert round(cost.parameters / 1e6, 1) == published.mega_parameters


def test_the_peak_is_the_most_that_lives_at_once() -> None:
    # a skip connection keeps the input of 5 alive past 20, until the addition has read it
    steps = (
        Step("conv", ("in",), ("a",)),
        Step("conv", ("a",), ("b",)),
        Step("conv", ("b",), ("c",)),
        Step("add", ("c", "in"), ("out",)),
    )
    sizes = {"in": 5, "a": 20, "b": 10, "c": 5, "out": 5}
    graph = Graph(steps, sizes, ("in",), ("out",), 0)
    assert peak_bytes(graph) == 5 + 20 + 10
    assert peak_bytes(replace(graph, outputs=("out", "a"))) == 5 + 20 + 10 + 5


def test_changes_of_type_around_an_operator_are_taken_out() -> None:
    steps = [
        Step("dequantize", ("in8",), ("in",)),
        Step("conv", ("in",), ("out",), macs=7),
        Step("quantize", ("out",), ("out8",)),
        Step("dequantize", ("out8",), ("last",)),
        Step("relu", ("last",), ("end",)),
    ]
    sizes = {"in8": 1, "in": 4, "out": 8, "out8": 2, "last": 8, "end": 8}
    kept, found = without_rounding(steps, sizes, ("quantize", "dequantize"))
    assert [(step.kind, step.reads, step.writes) for step in kept] == [
        ("conv", ("in8",), ("out",)),
        ("relu", ("out",), ("end",)),
    ]
    assert (found["in8"], found["out"], kept[0].macs) == (1, 2, 7)


@pytest.mark.parametrize("write", [write_tflite, write_onnx])
def test_one_convolution_is_counted_by_hand(write, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = write(tmp_path / ("a.tflite" if write is write_tflite else "a.onnx"), side=8)
    row = count_file(find_files([path])[0])
    assert not row.fault
    assert row.cost is not None
    assert row.cost.macs == 8 * 8 * 4 * 3 * 9
    assert row.cost.peak_activation_bytes == 4 * 8 * 8 * (3 + 4)
    bias = 4 if write is write_tflite else 0
    assert (row.cost.parameters, row.cost.operators) == (4 * 3 * 9 + bias, 1)


@pytest.mark.parametrize("damage", ["empty", "truncated", "random"])
@pytest.mark.parametrize("write", [write_tflite, write_onnx])
def test_a_damaged_file_has_a_row_that_says_so(write, damage: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = write(tmp_path / ("a.tflite" if write is write_tflite else "a.onnx"))
    content = path.read_bytes()
    random = bytes(range(256)) * 8
    path.write_bytes({"empty": b"", "truncated": content[: len(content) // 2]}.get(damage, random))
    row = count_file(find_files([path])[0])
    assert row.cost is None
    assert row.fault
    assert str(tmp_path) not in row.fault


def test_an_open_shape_is_named(tmp_path: Path) -> None:
    row = count_file(find_files([write_onnx(tmp_path / "o.onnx", shape=("N", 3, "H", "W"))])[0])
    assert row.cost is None
    assert "is open" in row.fault


def test_exported_files_cost_what_their_student_does(exported: Exported) -> None:
    found = count_all(find_files([exported.artifacts]))
    assert not found.faults
    assert {row.file.format for row in found.files} == {"onnx:fp32", "onnx:int8"}
    assert found.networks[-1].size == 64
    for row in found.files:
        assert row.student == "mobilenet_v2"
        assert row.cost is not None
        assert row.cost.macs == pytest.approx(found.networks[-1].cost.macs, rel=0.01)
        assert row.cost.parameters == 2_234_120 - 34_112 + 17_056  # BatchNorms become biases
    whole, int8 = (row.cost for row in found.files)
    assert whole is not None
    assert int8 is not None
    assert int8.peak_activation_bytes < 0.3 * whole.peak_activation_bytes


def test_the_command_writes_figures_and_names_a_file_of_another_network(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "flops.json"
    words = ["flops", str(exported.artifacts), "--json", str(out)]
    assert run_program("benchmarks", "", VERB, words) == 0
    document = json.loads(out.read_text())
    names = [row["architecture"] for row in document["networks"]]
    assert names[::2] == [*NETWORKS, "mobilenet_v2"]
    assert document["files"][0]["cost"]["flops"] == 2 * document["files"][0]["cost"]["macs"]
    assert str(tmp_path) not in out.read_text()
    assert "0.3141" in capsys.readouterr().out
    wrong = tmp_path / "wrong.onnx"
    import onnx

    model = onnx.load(exported.artifacts / "run-fp32.onnx")
    tiny = onnx.load(write_onnx(tmp_path / "tiny.onnx"))
    tiny.metadata_props.extend(model.metadata_props)
    onnx.save(tiny, wrong)
    assert run_program("benchmarks", "", VERB, ["flops", str(wrong)]) == 1
    assert "wrong.onnx: -99" in capsys.readouterr().err
