"""Ways to int8: each is a file of its own, told with its figures, and scales are compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import entropy

import benchmarks.quantization as quantization
from benchmarks.commands import quantization as command
from benchmarks.quantization import (
    DEFAULT_WAY,
    TRIALS,
    better_defaults,
    named_ways,
    try_quantizations,
    with_float_layers,
)
from distill.dataset import open_dataset
from export.divergence import mean_divergence
from export.formats import select_formats
from export.quantization.range_estimators import ESTIMATORS
from export.quantization.scale_stability import compare_scales
from export.quantization.settings import DEFAULT, Quantization
from runtimes.console import Verb, run_program
from runtimes.errors import InputError
from runtimes.prediction import Prediction

from .conftest import Exported

pytest.importorskip("litert_torch", reason="needs the tflite group")
VERB = (Verb("quantization", "", command.__name__),)


def test_divergence_is_that_of_the_literature() -> None:
    drawn = np.random.default_rng(0).dirichlet(np.ones(8), 2 * 30).reshape(2, 30, 8)
    assert mean_divergence(*drawn) == pytest.approx(entropy(*drawn, axis=1).mean())
    assert mean_divergence(drawn[0], drawn[0]) == 0


def test_every_step_is_left_out_once_and_the_default_is_among_the_ways() -> None:
    assert DEFAULT in TRIALS.values()
    for step in ("equalize", "level_streams", "correct_biases", "keep_depthwise_sums"):
        assert any(not getattr(way, step) for way in TRIALS.values())
    assert {way.estimator for way in TRIALS.values()} == set(ESTIMATORS)


def test_convolutions_in_float_are_tried_one_more_at_a_time() -> None:
    layers = ["0.0", "1.conv.0.0", "1.conv.1"]
    ways = list(with_float_layers(layers).items())
    assert [list(way.float_layers) for _, way in ways] == [layers[:1], layers[:2], layers]
    assert ways[1][0] == "all, 0.0 1.conv.0.0 in float"
    assert ways[2][0] == "all, 3 in float, + 1.conv.1"  # a table holds no list of thirty


def test_ways_are_chosen_by_name_beside_the_default() -> None:
    found = named_ways(["all, percentile", "rounding alone"])
    assert list(found) == ["rounding alone", DEFAULT_WAY, "all, percentile"]
    assert named_ways([DEFAULT_WAY]) == {DEFAULT_WAY: DEFAULT}
    with pytest.raises(InputError, match=r"'best'.*'rounding alone', .*'all, least squares'"):
        named_ways(["best"])


def test_an_unknown_estimator_is_refused() -> None:
    with pytest.raises(InputError, match=r"entropy.*possible: extremes"):
        Quantization(estimator="entropy")


def _span(low: float, high: float) -> dict[str, np.ndarray]:
    return {"min": np.array([[low]]), "max": np.array([[high]])}


def test_a_scale_that_moves_by_more_than_a_fifth_is_named() -> None:
    first = {"a": _span(-1, 1), "b": _span(0, 1), "c": _span(0, 0)}
    second = {"a": _span(-1, 1.3), "b": _span(0, 1.3), "c": _span(0, 0)}
    found = compare_scales(first, second)
    assert [tensor.name for tensor in found.tensors] == ["b", "a", "c"]
    assert [tensor.name for tensor in found.moved] == ["b"]
    assert found.tensors[1].difference == pytest.approx(0.15)
    assert compare_scales(second, first).moved[0].name == "b"
    assert compare_scales({"c": _span(0, 0)}, {"c": _span(0, 1)}).moved
    with pytest.raises(ValueError, match="different networks"):
        compare_scales(first, {})


def test_both_calibration_sets_and_the_compared_images_are_apart(exported: Exported) -> None:
    names = ("rounding alone", "+ sums of depthwise kernels (all)")
    dataset = open_dataset(exported.run)
    found = try_quantizations(
        exported.run,
        dataset,
        select_formats(["tflite:int8"]),
        calibration_images=16,
        validation_images=24,
        trials={name: TRIALS[name] for name in names},
    )
    assert [trial.name for trial in found.trials] == list(names)
    plain, default = found.trials
    assert default.beyond_default is None
    assert plain.beyond_default is not None
    beyond = plain.beyond_default
    assert beyond.value == pytest.approx(plain.divergence - default.divergence)
    assert beyond.low is not None
    assert beyond.high is not None
    assert beyond.low < plain.divergence - default.divergence < beyond.high
    assert found.best("tflite:int8").divergence == min(t.divergence for t in found.trials)
    calibration, validation = set(found.calibration.ids), set(found.validation.ids)
    assert not calibration & validation
    assert calibration <= set(dataset.ids("train"))
    assert validation <= set(dataset.ids("validation"))
    assert len(found.stability.tensors) > 50


def test_images_are_left_to_choose_layers_by(exported: Exported) -> None:
    dataset = open_dataset(exported.run)
    everything = {"validation_images": 10_000, "choose": True}
    with pytest.raises(InputError, match=r"none is left to choose by"):
        try_quantizations(exported.run, dataset, select_formats(["onnx:int8"]), **everything)  # type: ignore[arg-type]


def _prediction(probabilities: np.ndarray) -> Prediction:
    images = len(probabilities)
    return Prediction(probabilities, np.zeros((images, 8, 2, 2)), np.zeros(images))


def test_a_way_is_surely_better_by_the_paired_difference_over_lesions() -> None:
    """Differences that are small beside the spread over images show when images are paired."""
    drawn = np.random.default_rng(1)
    torchs = drawn.dirichlet(np.ones(8), 64)
    noise = drawn.dirichlet(np.ones(8), 64)
    (form,) = select_formats(["onnx:int8"])
    ways = [
        (form, "default", DEFAULT),
        (form, "better", replace(DEFAULT, equalize=False)),
        (form, "worse", replace(DEFAULT, level_streams=False)),
        (form, "in float", replace(DEFAULT, float_layers=("0.0",))),
    ]
    shares = (0.30, 0.29, 0.31, 0.10)
    answers = [_prediction((1 - share) * torchs + share * noise) for share in shares]
    lesions = [str(number // 2) for number in range(64)]
    target = torchs.argmax(axis=1)
    ruler = quantization._Ruler(_prediction(torchs), target, lesions, 0.0)
    trials = tuple(ruler.measure(ways, answers))
    assert [trial.surely_better for trial in trials] == [False, True, False, True]
    each = np.std(entropy(torchs, answers[0].probabilities, axis=1)) / 8
    assert each > abs(trials[1].divergence - trials[0].divergence)
    assert better_defaults(trials, "onnx:int8") == ("better",)  # the other costs time on a phone
    assert better_defaults(trials, "tflite:int8") == ()
    alone = tuple(ruler.measure(ways[1:], answers[1:]))
    assert all(trial.beyond_default is None for trial in alone)  # nothing to compare with


def test_the_command_writes_figures_and_a_picture(exported: Exported, tmp_path: Path) -> None:
    words = ["quantization", str(exported.run), "--only", "onnx:int8", "--images", "24"]
    words += ["--calibration-images", "16", "--json", str(tmp_path / "q.json")]
    words += ["--float-layers", "auto", "--ways", DEFAULT_WAY]
    assert run_program("benchmarks", "", VERB, [*words, "--picture", str(tmp_path / "q.png")]) == 0
    document = json.loads((tmp_path / "q.json").read_text())
    count = len(document["choice"]["layers"])
    names = [DEFAULT_WAY, f"all, {count} chosen layers in float"]
    assert [trial["name"] for trial in document["trials"]] == names
    assert document["trials"][1]["quantization"]["float_layers"] == document["choice"]["layers"]
    assert document["best"]["onnx:int8"] in names
    assert document["default"] == document["trials"][0]["quantization"]
    assert document["better_defaults"] == {"onnx:int8": []}
    assert document["calibration"]["side"] == "train"
    assert len(document["calibration"]["sha256"]) == 64
    assert document["preprocessing"]["size"] == 64
    assert (tmp_path / "q.png").read_bytes()[:4] == b"\x89PNG"


def test_a_format_without_int8_activations_is_refused(
    exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["quantization", str(exported.run), "--only", "tflite:fp16"]
    assert run_program("benchmarks", "", VERB, words) == 2
    assert "tflite:fp16" in capsys.readouterr().err
