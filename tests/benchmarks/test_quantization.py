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
    Trial,
    beside_default,
    better_defaults,
    named_ways,
    try_quantizations,
    with_float_layers,
)
from distill.dataset import open_dataset
from export.divergence import mean_divergence
from export.formats import select_formats
from export.image_set import draw_balanced
from export.quantization.range_estimators import ESTIMATORS
from export.quantization.scale_stability import compare_scales
from export.quantization.settings import DEFAULT, Quantization
from export.verify import Comparison
from runtimes.console import Verb, run_program
from runtimes.errors import InputError

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
    assert found.trials[0].divergence != found.trials[1].divergence
    assert all(trial.beyond_default is None for trial in found.trials)  # 24 images are too few
    assert found.best("tflite:int8").divergence == min(t.divergence for t in found.trials)
    calibration, validation = set(found.calibration.ids), set(found.validation.ids)
    assert not calibration & validation
    assert calibration <= set(dataset.ids("train"))
    assert validation <= set(dataset.ids("validation"))
    assert found.stability is not None
    assert len(found.stability.tensors) > 50


def test_images_are_left_to_choose_layers_by(exported: Exported) -> None:
    dataset = open_dataset(exported.run)
    everything = {"validation_images": 10_000, "choose": True}
    with pytest.raises(InputError, match=r"none is left to choose by"):
        try_quantizations(exported.run, dataset, select_formats(["onnx:int8"]), **everything)  # type: ignore[arg-type]


def _trial(name: str, form: str, way: Quantization = DEFAULT) -> Trial:
    return Trial(name, form, way, Comparison(1, 0, 0, 1, 1, 1, 1, 0, 0), 0.0, 0.0)


PLAIN = Quantization(equalize=False)
LESIONS = [str(number // 4) for number in range(800)]


def test_a_way_is_better_if_its_difference_holds_over_lesions() -> None:
    """A spread over images does not count, since they are paired; one over lesions does."""
    rng = np.random.default_rng(1)
    default = rng.exponential(1.0, 800)
    steady = default - 0.01 + rng.normal(0, 0.02, 800)
    # every lesion has one sign, so that 800 images would say what 200 lesions do not
    by_lesion = default + np.repeat(np.where(np.arange(200) < 112, -1.0, 1.0), 4)
    trials = [_trial("default", "onnx:int8")]
    trials += [_trial(name, "onnx:int8", PLAIN) for name in ("steady", "by lesion")]
    diverged = [default, steady, by_lesion]
    found = beside_default(trials, diverged, LESIONS)
    assert [trial.better for trial in found] == [False, True, False]
    assert found[0].beyond_default is None
    assert found[1].beyond_default is not None
    assert found[1].beyond_default.value == pytest.approx((steady - default).mean())
    assert beside_default(trials, diverged, [str(i) for i in range(800)])[2].better


def test_a_way_is_compared_with_the_default_of_its_own_format() -> None:
    low, high = np.full(800, 1.0), np.full(800, 3.0)
    trials = [
        _trial("default", "onnx:int8"),
        _trial("plain", "onnx:int8", PLAIN),
        _trial("default", "tflite:int8"),
        _trial("plain", "tflite:int8", PLAIN),
        _trial("plain", "coreml:w8a8", PLAIN),
    ]
    found = beside_default(trials, [low, high, high, low, low], LESIONS)
    told = [trial.beyond_default and trial.beyond_default.value for trial in found]
    assert told == [None, 2.0, None, -2.0, None]
    assert better_defaults(found, "tflite:int8") == ("plain",)
    assert better_defaults(found, "onnx:int8") == ()
    assert better_defaults(found, "coreml:w8a8") is None


def test_layers_in_float_are_no_better_default() -> None:
    way = replace(DEFAULT, float_layers=("0.0",))
    trials = [_trial("default", "onnx:int8"), _trial("in float", "onnx:int8", way)]
    found = beside_default(trials, [np.full(800, 3.0), np.full(800, 1.0)], LESIONS)
    assert found[1].better
    assert better_defaults(found, "onnx:int8") == ()  # it costs time on a phone


@pytest.mark.parametrize("broken", [0, 1])
def test_a_file_without_an_answer_is_never_better(broken: int) -> None:
    diverged = [np.full(800, 3.0), np.full(800, 1.0)]
    diverged[broken][5] = np.nan
    trials = [_trial("default", "onnx:int8"), _trial("plain", "onnx:int8", PLAIN)]
    assert beside_default(trials, diverged, LESIONS)[1].beyond_default is None


def test_a_small_training_side_has_no_second_calibration_set(
    exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = open_dataset(exported.run)
    count = len(dataset.ids("train"))
    first = draw_balanced(dataset, "train", 16, 0)
    second = quantization._second_set(dataset, first, 1)
    assert second is not None
    assert not set(first.ids) & set(second.ids)
    assert second.counts == first.counts
    assert quantization._second_set(dataset, draw_balanced(dataset, "train", count, 0), 1) is None
    assert "--calibration-images" in capsys.readouterr().err


def test_few_lesions_tell_nothing_of_others() -> None:
    trials = [_trial("default", "onnx:int8"), _trial("plain", "onnx:int8", PLAIN)]
    diverged = [np.full(800, 3.0), np.full(800, 1.0)]
    few = [str(number % 99) for number in range(800)]
    assert beside_default(trials, diverged, few)[1].beyond_default is None


def test_a_divergence_that_is_no_number_is_null_in_json() -> None:
    broken = replace(_trial("plain", "onnx:int8"), divergence=float("inf"))
    assert broken.to_json()["divergence"] is None


def test_the_command_writes_figures_and_a_picture(
    exported: Exported,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quantization, "LEAST_LESIONS", 2)
    words = ["quantization", str(exported.run), "--only", "onnx:int8", "--images", "24"]
    words += ["--calibration-images", "16", "--json", str(tmp_path / "q.json")]
    words += ["--float-layers", "auto", "--ways", "rounding alone"]
    assert run_program("benchmarks", "", VERB, [*words, "--picture", str(tmp_path / "q.png")]) == 0
    document = json.loads((tmp_path / "q.json").read_text())
    plain, default, *mixed = document["trials"]
    layers = document["choice"]["layers"]
    assert (plain["name"], default["name"]) == ("rounding alone", DEFAULT_WAY)
    assert [way["quantization"]["float_layers"] for way in mixed] == [layers] * bool(layers)
    assert default["quantization"] == document["default"]
    assert default["beyond_default"] is None
    beyond = plain["beyond_default"]
    assert beyond["value"] == pytest.approx(plain["divergence"] - default["divergence"])
    assert beyond["low"] < beyond["value"] < beyond["high"]
    better = [plain["name"]] if beyond["high"] < 0 else []
    assert document["better_defaults"] == {"onnx:int8": better}
    shown = capsys.readouterr().out
    assert f"{beyond['value']:+.1e} ({beyond['low']:+.1e} to {beyond['high']:+.1e})" in shown
    assert "the default" in shown
    assert f"at no cost: {', '.join(better) or 'none'}" in shown
    assert document["best"]["onnx:int8"] in [way["name"] for way in document["trials"]]
    assert document["calibration"]["side"] == "train"
    assert len(document["calibration"]["sha256"]) == 64
    assert document["preprocessing"]["size"] == 64
    assert (tmp_path / "q.png").read_bytes()[:4] == b"\x89PNG"


def test_options_that_stand_twice_add_up(
    exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["quantization", str(exported.run), "--ways", "first", "--ways", DEFAULT_WAY]
    assert run_program("benchmarks", "", VERB, words) == 2
    assert "'first'" in capsys.readouterr().err
    words = ["quantization", str(exported.run), "--only", "first", "--only", "onnx:int8"]
    assert run_program("benchmarks", "", VERB, words) == 2
    assert "'first'" in capsys.readouterr().err


def test_a_format_without_int8_activations_is_refused(
    exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["quantization", str(exported.run), "--only", "tflite:fp16"]
    assert run_program("benchmarks", "", VERB, words) == 2
    assert "tflite:fp16" in capsys.readouterr().err
