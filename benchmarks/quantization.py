"""Every way to int8 on validation images beside torch in float32: what does each step bring?"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from benchmarks.bootstrap import mean_of, with_interval
from distill.checkpoint import STUDENT_FILE
from distill.comparison import read_student
from distill.dataset import Dataset
from distill.metrics import Estimate
from distill.provenance import provenance
from export.conversions import Conversions
from export.divergence import divergences
from export.finite import check_weights
from export.formats import Format
from export.image_set import (
    ImageSet,
    diagnoses_and_lesions,
    draw_at_random,
    draw_balanced,
    network_pixels,
    with_content,
)
from export.noise import native_chatter
from export.quantization.activation_ranges import measure_ranges
from export.quantization.calibration_set import draw_calibration_set, read_calibration_set
from export.quantization.float_choice import Choice
from export.quantization.float_judge import balanced_accuracy, choose_float_layers, judged_formats
from export.quantization.scale_stability import Stability, compare_scales
from export.quantization.settings import DEFAULT, Quantization
from export.reference import reference_session
from export.verify import Comparison, compare
from runtimes.console import note, progress, warn
from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.metadata import embed_contract
from runtimes.session import open_model

_NONE = Quantization(
    equalize=False,
    level_streams=False,
    correct_biases=False,
    keep_depthwise_sums=False,
    estimator="extremes",
)
_AVERAGED = replace(_NONE, estimator="averaged")
_CORRECTED = replace(_AVERAGED, correct_biases=True)
_EQUALIZED = replace(_CORRECTED, equalize=True)

DEFAULT_WAY = "+ sums of depthwise kernels (all)"
LEAST_LESIONS = 100  # of an interval over lesions
_NAMED = 2  # of more convolutions in float, a trial's name tells the number and the last

# One step after another first, then the default with one step left out or exchanged.
TRIALS: Mapping[str, Quantization] = MappingProxyType(
    {
        "rounding alone": _NONE,
        "+ averaged ranges": _AVERAGED,
        "+ bias correction": _CORRECTED,
        "+ equalization": _EQUALIZED,
        "+ level streams": replace(_EQUALIZED, level_streams=True),
        DEFAULT_WAY: DEFAULT,
        "all but equalization": Quantization(equalize=False),
        "all but level streams": Quantization(level_streams=False),
        "all but bias correction": Quantization(correct_biases=False),
        "all, extremes": Quantization(estimator="extremes"),
        "all, percentile": Quantization(estimator="percentile"),
        "all, least squares": Quantization(estimator="mse"),
    }
)


def named_ways(names: Sequence[str]) -> dict[str, Quantization]:
    """Returns these trials in their own order, and the default, which they are compared with.

    Raises:
        InputError: there is no such trial.
    """
    for name in names:
        if name not in TRIALS:
            known = ", ".join(f"'{each}'" for each in TRIALS)
            raise InputError(f"--ways names '{name}'; possible: {known}.")
    return {name: way for name, way in TRIALS.items() if name in (*names, DEFAULT_WAY)}


def with_float_layers(layers: Sequence[str]) -> dict[str, Quantization]:
    """Returns the default with the first n of these convolutions left in float, for all n."""
    return {
        _in_float(layers[:count]): replace(DEFAULT, float_layers=tuple(layers[:count]))
        for count in range(1, len(layers) + 1)
    }


def _in_float(layers: Sequence[str]) -> str:
    if len(layers) <= _NAMED:
        return f"all, {' '.join(layers)} in float"
    return f"all, {len(layers)} in float, + {layers[-1]}"


@dataclass(frozen=True)
class Trial:
    """What one way to int8 answers on N validation images.

    Attributes:
        name: of the way, as in `TRIALS` and `with_float_layers`.
        format: key of the format.
        quantization: the steps.
        comparison: with torch in float32.
        divergence: mean KL(torch ‖ file) of the probabilities, in nats; infinite if an answer is
            not a number.
        balanced_accuracy: of the file minus torch's.
        beyond_default: its divergence minus the default's in this format, with the 95 % interval
            of the paired difference over lesions, see `beside_default`.
    """

    name: str
    format: str
    quantization: Quantization
    comparison: Comparison
    divergence: float
    balanced_accuracy: float
    beyond_default: Estimate | None = None

    @property
    def better(self) -> bool:
        """Whether the whole interval of the difference to the default lies below zero."""
        beyond = self.beyond_default
        return beyond is not None and beyond.high is not None and beyond.high < 0

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **vars(self),
            "quantization": self.quantization.to_json(),
            "comparison": self.comparison.to_json(),
            "divergence": self.divergence if math.isfinite(self.divergence) else None,
            "beyond_default": None if self.beyond_default is None else vars(self.beyond_default),
        }


def beside_default(
    trials: Sequence[Trial], diverged: Sequence[np.ndarray], lesions: Sequence[str]
) -> tuple[Trial, ...]:
    """Returns the trials with their difference to the default of their format.

    The interval is that of other validation lesions, not that of other calibration images. There
    is none for the default itself, where it was not tried, where an answer is not a number, and
    where there are fewer than `LEAST_LESIONS`.

    Args:
        trials: of any formats.
        diverged: of each trial, KL(torch ‖ file) of each image, (N,).
        lesions: of each image, N.
    """
    defaults: dict[str, np.ndarray] = {}
    for trial, own in zip(trials, diverged, strict=True):
        if trial.quantization == DEFAULT:
            defaults[trial.format] = own
    enough = len(set(lesions)) >= LEAST_LESIONS
    found = []
    for trial, own in zip(trials, diverged, strict=True):
        default = defaults.get(trial.format)
        if enough and default is not None and trial.quantization != DEFAULT:
            difference = own - default
            if np.isfinite(difference).all():
                beyond = with_interval(mean_of(difference), lesions)
                trial = replace(trial, beyond_default=beyond)
        found.append(trial)
    return tuple(found)


def better_defaults(trials: Sequence[Trial], form: str) -> tuple[str, ...] | None:
    """Names the ways of a format that are better than the default on these images, at no cost.

    They need no training and leave no layer in float. Each interval stands for itself: of many
    ways, one may be named by chance. None if no way was compared with the default.
    """
    if all(trial.beyond_default is None for trial in trials if trial.format == form):
        return None
    return tuple(
        trial.name
        for trial in trials
        if trial.format == form
        and trial.better
        and not trial.quantization.float_layers
        and trial.quantization.aware is None
    )


@dataclass(frozen=True)
class Report:
    """All trials of a student.

    Attributes:
        architecture: of the student.
        student: SHA-256 of its weights.
        calibration: training images that ranges, biases and factors come from.
        validation: images that the trials are compared on.
        preprocessing: of both, from the contract.
        trials: format by format, in the order they were given.
        stability: of the scales between this calibration set and a disjoint one; None where the
            training side is too small for a second set like the first.
        choice: of the convolutions left in float, if the program made one.
    """

    architecture: str
    student: str
    calibration: ImageSet
    validation: ImageSet
    preprocessing: dict[str, Any]
    trials: tuple[Trial, ...]
    stability: Stability | None
    choice: Choice | None

    def best(self, form: str) -> Trial:
        """The trial of a format whose probabilities diverge least from torch's."""
        return min(
            (trial for trial in self.trials if trial.format == form),
            key=lambda trial: trial.divergence,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values with versions and commit."""
        formats = dict.fromkeys(trial.format for trial in self.trials)
        return {
            "architecture": self.architecture,
            "student": {"sha256": self.student},
            "calibration": self.calibration.to_json(),
            "validation": self.validation.to_json(),
            "preprocessing": self.preprocessing,
            "trials": [trial.to_json() for trial in self.trials],
            "best": {form: self.best(form).name for form in formats},
            "default": DEFAULT.to_json(),
            "better_defaults": {form: better_defaults(self.trials, form) for form in formats},
            "stability": None if self.stability is None else self.stability.to_json(),
            "choice": None if self.choice is None else self.choice.to_json(),
            "provenance": provenance(),
        }


def try_quantizations(
    run: Path,
    dataset: Dataset,
    formats: Sequence[Format],
    *,
    calibration_images: int = 256,
    validation_images: int = 512,
    seed: int = 0,
    trials: Mapping[str, Quantization] = TRIALS,
    choose: bool = False,
) -> Report:
    """Exports the student once for every way and format, and compares the files with torch.

    Args:
        run: a finished run, or a released model.
        dataset: its data set.
        formats: int8 rows of the table of formats.
        calibration_images: of the training side, balanced over the classes; a second set of the
            same size, disjoint from it, is drawn for the stability of the scales.
        validation_images: drawn at random.
        seed: of the draws.
        trials: name to settings.
        choose: whether to choose what stays in float, on other validation images than those that
            the files are compared on, and try that too.

    Raises:
        InputError: too few images.
    """
    classifier, contract = read_student(run)
    check_weights(classifier, run / STUDENT_FILE)
    recipe = contract.preprocessing
    validation = draw_at_random(dataset, "validation", validation_images, seed)
    if len(validation.ids) < validation_images:
        note(f"the validation side has {len(validation.ids):,} images; all of them are compared on")
    apart = frozenset(validation.ids)
    if choose and len(apart) == len(dataset.ids("validation")):
        raise InputError(
            f"all {len(apart):,} validation images serve to compare the files, and none is left to "
            "choose by what stays in float. Compare on fewer (--images), or name the layers."
        )
    calibration = draw_calibration_set(dataset, calibration_images, seed, apart)
    other = _second_set(dataset, calibration, seed + 1)
    others = None if other is None else network_pixels(dataset, other.ids, recipe)
    calibration, samples = read_calibration_set(dataset, calibration, recipe)
    pixels = network_pixels(dataset, validation.ids, recipe)
    validation = with_content(validation, pixels, recipe)
    reference = reference_session(classifier, contract).predict(pixels)
    target, lesions = diagnoses_and_lesions(dataset, validation)
    conversions = Conversions(classifier, contract, samples)
    choice = None
    if choose:
        choice = choose_float_layers(
            *(conversions, judged_formats(formats), classifier, contract, dataset),
            seed=seed,
            apart=apart,
        )
        if choice.layers:  # none: the default passes as it is
            chosen = replace(DEFAULT, float_layers=choice.layers)
            trials = {**trials, f"all, {len(choice.layers)} chosen layers in float": chosen}
    found: list[Trial] = []
    diverged: list[np.ndarray] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        progress("ways to int8", len(formats) * len(trials)) as bar,
    ):
        for form in formats:
            for name, quantization in trials.items():
                path = Path(folder) / f"{len(found)}{form.suffix}"
                conversions.with_quantization(quantization).write(form, path)
                embed_contract(path, replace(contract, input_dtype=form.input_dtype))
                answers = open_model(path, torch.get_num_threads()).predict(pixels)
                bar.advance(text=f"{form.key} {name}")
                diverged.append(
                    divergences(
                        reference.probabilities.astype(np.float64),
                        answers.probabilities.astype(np.float64),
                    )
                )
                found.append(
                    Trial(
                        name,
                        form.key,
                        quantization,
                        compare(reference, answers, contract.calibration.unknown_threshold),
                        _finite(float(diverged[-1].mean())),
                        balanced_accuracy(answers.probabilities, target)
                        - balanced_accuracy(reference.probabilities, target),
                    )
                )
    return Report(
        classifier.architecture,
        sha256_of(run / STUDENT_FILE),
        calibration,
        validation,
        dict(vars(recipe)),
        beside_default(found, diverged, lesions),
        None if others is None else _stability(conversions, others),
        choice,
    )


def _second_set(dataset: Dataset, first: ImageSet, seed: int) -> ImageSet | None:
    """A calibration set of the same size that shares no image with the first, if there is one.

    What a small training side has left would be another mixture of classes, so that its scales
    would differ for no fault of the first: each class has to give half as many images again.
    """
    found = draw_balanced(dataset, first.side, len(first.ids), seed, frozenset(first.ids))
    if all(found.counts[code] >= count / 2 for code, count in first.counts.items()):
        return found
    warn(
        f"beside these {len(first.ids)} calibration images the training side has too few for a "
        "second set like them, so nothing is told of the scales' stability. Ask for fewer with "
        "--calibration-images."
    )
    return None


def _stability(conversions: Conversions, others: np.ndarray) -> Stability:
    content, threads = conversions.float_tflite(), torch.get_num_threads()
    with native_chatter():
        ranges = [
            measure_ranges(content, images, threads) for images in (conversions.calibration, others)
        ]
    return compare_scales(*ranges)


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.inf
