"""Automatic mixed precision: groups that make a value exact, the least of them that passes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, fx, nn

import export.formats as format_table
from distill.metrics import Estimate
from distill.models import Classifier
from export.deployable import Deployable
from export.formats import select_formats
from export.gates import Gate
from export.quantization.float_choice import (
    Trial,
    choose,
    growing_sets,
    multiply_accumulates,
)
from export.quantization.float_judge import (
    FEW,
    FIRST,
    Yardstick,
    at_least,
    judged_formats,
    surely,
)
from export.quantization.float_layers import exact_nodes, in_float, trunk_steps
from export.quantization.precisions import ROUNDINGS
from export.quantization.sensitivity import LayerNoise, measure_sensitivity, stored_tensors
from runtimes.prediction import Prediction

SETS = [tuple("abcdefgh"[:count]) for count in range(9)]
_KEYS = ("tflite:int8", "onnx:int8", "onnx:fp16")
COST = dict.fromkeys("abcdefgh", 10)
Measure = Callable[[tuple[str, ...], int | None], Trial]


@pytest.fixture
def trunk(classifier: Classifier) -> fx.GraphModule:
    return fx.symbolic_trace(Deployable(classifier, 1.0).trunk)


def _passing(enough: Callable[[frozenset[str]], bool]) -> Measure:
    """A gate that asks for some layers, whatever the others are."""

    def measure(layers: tuple[str, ...], left: int | None) -> Trial:
        faults = () if enough(frozenset(layers)) else ("too far",)
        return Trial(layers, 0.9, 0.9, Estimate(0.0, 0.0, 0.0), 1 / (1 + len(layers)), 9, faults)

    return measure


def test_multiply_accumulates_are_those_of_one_image(trunk: fx.GraphModule) -> None:
    found = multiply_accumulates(trunk, torch.zeros(1, 3, 32, 32))
    assert found == {
        "stem.0": 16 * 16 * 8 * 3 * 9,
        "depthwise.0": 16 * 16 * 8 * 9,
        "project.0": 16 * 16 * 8 * 8,
        "last.0": 8 * 8 * 24 * 8 * 9,
    }


def test_the_first_group_is_what_makes_the_noisiest_value_exact(trunk: fx.GraphModule) -> None:
    cost = multiply_accumulates(trunk, torch.zeros(1, 3, 32, 32))
    names = [tensor.name for tensor in stored_tensors(trunk)]
    noise = [
        LayerNoise(name, "", 40.0, 10 if name == "depthwise.0" else 60.0, 40.0) for name in names
    ]
    sets = growing_sets(trunk, noise, cost)
    assert sets[:2] == [(), ("depthwise.0", "project.0")]
    assert sets[-1] == tuple(cost)
    assert all(set(small) < set(large) for small, large in pairwise(sets))


def test_every_set_makes_more_values_exact(trunk: fx.GraphModule) -> None:
    deployable, steps = trunk, trunk_steps(trunk)
    noise = [LayerNoise(tensor.name, "", 30.0, 30.0, 30.0) for tensor in stored_tensors(trunk)]
    sets = growing_sets(deployable, noise, multiply_accumulates(trunk, torch.zeros(1, 3, 32, 32)))
    exact = [len(exact_nodes(trunk, in_float(steps, layers))) for layers in sets]
    assert exact == sorted(set(exact))


def test_layers_without_noise_are_not_left_in_float(trunk: fx.GraphModule) -> None:
    noise = [LayerNoise(each.name, "", np.inf, np.inf, np.inf) for each in stored_tensors(trunk)]
    cost = multiply_accumulates(trunk, torch.zeros(1, 3, 32, 32))
    assert growing_sets(trunk, noise, cost) == [()]


def test_nothing_stays_in_float_where_all_int8_passes() -> None:
    found = choose(SETS, _passing(lambda layers: True), COST)
    assert (found.layers, found.passed, found.multiply_accumulates) == ((), True, 0.0)
    assert len(found.trials) == 1


@pytest.mark.parametrize("needed", SETS[1:])
def test_the_smallest_set_that_passes_is_found(needed: tuple[str, ...]) -> None:
    found = choose(SETS, _passing(lambda layers: layers >= set(needed)), COST)
    assert (found.layers, found.passed) == (needed, True)
    assert found.multiply_accumulates == pytest.approx(len(needed) / 8)


def test_a_group_that_the_file_can_do_without_is_put_back() -> None:
    found = choose(SETS, _passing(lambda layers: layers >= {"b", "e"}), COST)
    assert found.layers == ("b", "e")


def test_the_least_divergence_is_told_where_no_set_passes() -> None:
    found = choose(SETS, _passing(lambda layers: False), COST)
    assert (found.layers, found.passed) == (SETS[-1], False)


def test_no_set_is_measured_twice() -> None:
    measured = []

    def measure(layers: tuple[str, ...], left: int | None) -> Trial:
        measured.append((layers, left))
        return _passing(lambda some: some >= {"c", "f"})(layers, left)

    found = choose(SETS, measure, COST)
    assert len(measured) == len({layers for layers, _ in measured}) == len(found.trials)
    for number, (_, left) in enumerate(measured):
        assert left is None or number == 0 or len(measured) - 1 - number <= left
    assert measured[-1][1] == 0


def test_measured_noise_leads_to_an_exact_first_value(
    classifier: Classifier, images: np.ndarray
) -> None:
    deployable = Deployable(classifier, 1.0)
    trunk = fx.symbolic_trace(deployable.trunk)
    noise = measure_sensitivity(deployable, images, ROUNDINGS["int8"])
    cost = multiply_accumulates(trunk, torch.zeros(1, 3, 32, 32))
    first = growing_sets(trunk, noise.layers, cost)[1]
    assert exact_nodes(trunk, in_float(trunk_steps(trunk), first))


def test_many_paths_to_a_value_take_no_longer_than_its_nodes() -> None:
    class Doubling(nn.Module):
        """Every addition reads the one before it twice: 2³⁰ paths lead to the last."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Conv2d(3, 2, 1), nn.Conv2d(2, 2, 1)

        def forward(self, pixels: Tensor) -> Tensor:
            found = self.first(pixels)
            for _ in range(30):
                found = found.relu() + found.neg()
            return self.last(found)

    trunk = fx.symbolic_trace(Doubling())
    noise = [LayerNoise(each.name, "", 30.0, 30.0, 30.0) for each in stored_tensors(trunk)]
    cost = multiply_accumulates(trunk, torch.zeros(1, 3, 8, 8))
    assert growing_sets(trunk, noise, cost)[-1] == ("first", "last")


def test_the_format_that_decides_is_one_whose_converter_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    formats = select_formats(_KEYS)
    (tflite,), (onnx,), (half,) = (select_formats([key]) for key in _KEYS)
    assert judged_formats(formats) == [tflite, onnx]
    monkeypatch.setitem(format_table.STAGES, "tflite", (("no_such_module", "litert-torch"),))
    assert judged_formats(formats) == [onnx]
    assert judged_formats([half]) == []


@pytest.mark.parametrize(
    ("wrong", "asked", "passes"),
    [
        (range(21), [(0, FIRST)], False),  # refused by the first images: no others are asked
        (range(FIRST, FIRST + 34), [(0, FIRST), (FIRST, 3 * FIRST)], False),  # 98.9 % of all
        (range(FIRST, FIRST + 25), [(0, FIRST), (FIRST, 3 * FIRST)], True),  # 99.2 %
    ],
)
def test_a_file_that_is_looked_for_has_to_pass_on_all_images_beyond_chance(
    wrong: range, asked: list[tuple[int, int]], passes: bool
) -> None:
    count = 3 * FIRST
    right = np.tile(np.array([[0.9, 0.1]], np.float32), (count, 1))
    found = right.copy()
    found[wrong] = found[wrong, ::-1]
    calls = []

    def answered(shares: np.ndarray) -> Prediction:
        return Prediction(shares, np.zeros((len(shares), 1, 1, 2)), np.zeros(len(shares)))

    def answers(first: int, last: int) -> Prediction:
        calls.append((first, last))
        return answered(found[first:last])

    lesions = tuple(map(str, range(count)))
    gate = Gate(agreement=0.985)
    yardstick = Yardstick(gate, answered(right), np.arange(count) % 2, lesions, ("A", "B"))
    trial = yardstick.judge((), answers, searched=True)
    assert (calls, not trial.faults) == (asked, passes)
    assert trial.images == asked[-1][1]
    assert trial.agreement == pytest.approx(1 - len(wrong) / trial.images)
    alone = yardstick.judge((), answers, searched=False)  # one file alone is no matter of chance
    assert alone.judged_by == alone.agreement == pytest.approx(1 - len(wrong) / count)
    assert not alone.faults


def test_only_what_is_more_than_chance_counts_against_a_file() -> None:
    same = np.arange(1024) >= 26  # 97.46 %
    assert 0.963 < at_least(same) < 0.964
    assert at_least(np.ones(FEW, bool)) > 0.985
    assert at_least(same[: FEW - 1]) == same[: FEW - 1].mean()
    assert surely(Estimate(-0.005, -0.012, 0.002)) == 0
    assert surely(Estimate(-0.02, -0.03, -0.01)) == -0.01
    assert surely(Estimate(0.02, 0.01, 0.03)) == 0.01
    assert surely(Estimate(None, None, None)) is None
