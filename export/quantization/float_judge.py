"""Chooses what stays in float by writing files and judging them on validation images."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import fx

from distill.dataset import Dataset
from distill.metrics import Estimate, paired_difference
from distill.models import Classifier
from distill.scores import weighted_scores
from export.conversions import Conversions
from export.divergence import mean_divergence
from export.formats import Format
from export.gates import Deviation, Gate, gate_for
from export.image_set import draw_at_random, network_pixels
from export.quantization.float_choice import (
    Choice,
    Trial,
    choose,
    growing_sets,
    multiply_accumulates,
)
from export.quantization.precisions import ROUNDINGS
from export.quantization.sensitivity import measure_sensitivity
from export.reference import reference_session
from export.verify import interval_of_share
from runtimes.console import note, progress, warn
from runtimes.contract import Contract
from runtimes.errors import MissingDependencyError
from runtimes.metadata import embed_contract
from runtimes.prediction import Prediction
from runtimes.session import open_model

JUDGED, FEW = 1024, 256
_SENSITIVITY_IMAGES = 32


def judged_formats(formats: Sequence[Format]) -> list[Format]:
    """Returns the int8 formats whose converters are installed, the fastest here first.

    The first decides for all. A format whose converter is missing says so itself later.
    """
    order = ("tflite", "onnx", "coreml")
    rounded = [form for form in formats if form.rounds_activations and _is_installed(form)]
    return sorted(rounded, key=lambda form: order.index(form.family))


def _is_installed(form: Format) -> bool:
    try:
        form.require_packages()
    except MissingDependencyError:
        return False
    return True


def choose_float_layers(
    conversions: Conversions,
    formats: Sequence[Format],
    classifier: Classifier,
    contract: Contract,
    dataset: Dataset,
    *,
    images: int = JUDGED,
    seed: int = 0,
    apart: Collection[str] = (),
) -> Choice:
    """Returns the least set of convolutions in float with which a file passes its gate.

    Args:
        conversions: of the student, with calibration images.
        formats: int8 formats; the first decides, and each other one is judged with its choice.
        classifier: the student.
        contract: with preprocessing and temperature.
        dataset: whose validation side judges.
        images: drawn at random from it, or all where it has fewer.
        seed: of that draw.
        apart: ids of images that do not judge, since the choice is tested on them.
    """
    deployable = conversions.equalized
    trunk = fx.symbolic_trace(deployable.trunk)
    samples = conversions.calibration[:_SENSITIVITY_IMAGES]
    cost = multiply_accumulates(trunk, deployable.trunk_input(samples[:1]))
    decides, *others = formats
    judge = _judge(conversions, decides, classifier, contract, dataset, images, seed, apart)

    def told(choice: Choice) -> Choice:
        found = {
            form.key: replace(judge, form=form, gate=gate_for(form, classifier), searches=False)(
                choice.layers
            )
            for form in others
            if choice.passed
        }
        return replace(
            choice, format=decides.key, images=len(judge.target), seed=seed, others=found
        )

    if len(judge.target) < FEW:
        warn(
            f"only {len(judge.target)} validation images decide which layers stay in float; a file "
            "that passes on so few may fail on others."
        )
    first = judge(())
    if not first.faults:
        return told(choose([()], lambda layers, left: first, cost))
    with progress("layers") as bar:
        noise = measure_sensitivity(
            deployable, samples, ROUNDINGS["int8"], lambda done, total: bar.advance()
        )
    sets = growing_sets(trunk, noise.layers, cost)
    return told(choose(sets, lambda layers, left: judge(layers, left) if layers else first, cost))


@dataclass(frozen=True)
class _Judge:
    conversions: Conversions
    form: Format
    contract: Contract
    gate: Gate
    pixels: np.ndarray
    target: np.ndarray
    lesions: tuple[str, ...]
    classes: tuple[str, ...]
    reference: Prediction
    searches: bool = True

    def __call__(self, layers: tuple[str, ...], left: int | None = 0) -> Trial:
        """Writes a file with these convolutions in float and compares it with torch.

        Args:
            layers: convolutions in float.
            left: files that may follow at most; None where nobody can know.
        """
        started = time.monotonic()
        settings = replace(self.conversions.quantization, float_layers=layers)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"trial{self.form.suffix}"
            self.conversions.with_quantization(settings).write(self.form, path)
            embed_contract(path, replace(self.contract, input_dtype=self.form.input_dtype))
            found = open_model(path, torch.get_num_threads()).predict(self.pixels)
        own, torchs = (each.probabilities.astype(np.float64) for each in (found, self.reference))
        difference = paired_difference(torchs, own, self.target, self.lesions, self.classes)
        same = own.argmax(axis=1) == torchs.argmax(axis=1)
        deviation = Deviation(
            float(np.abs(own - torchs).max()),
            at_least(same) if self.searches else float(same.mean()),
            surely(difference["balanced_accuracy"]),
        )
        trial = Trial(
            layers,
            float(same.mean()),
            difference["balanced_accuracy"],
            mean_divergence(torchs, own),
            self.gate.faults(deviation),
        )
        took = time.monotonic() - started
        more = f", at most {left} more files, {left * took / 60:.1f} min" if left else ""
        note(
            f"{self.form.key} with {_named(layers)} in float: {100 * trial.agreement:.2f} % agree "
            f"(judged by {100 * deviation.agreement:.2f}), "
            f"KL {trial.divergence:.1e}, {'; '.join(trial.faults) or 'passes'} "
            f"({took:.0f} s{more})"
        )
        return trial


def _judge(
    conversions: Conversions,
    form: Format,
    classifier: Classifier,
    contract: Contract,
    dataset: Dataset,
    images: int,
    seed: int,
    apart: Collection[str],
) -> _Judge:
    drawn = draw_at_random(dataset, "validation", images, seed, apart)
    pixels = network_pixels(dataset, drawn.ids, contract.preprocessing)
    side = dict(zip(dataset.ids("validation"), dataset.labels("validation"), strict=True))
    lesion = dict(zip(dataset.ids("validation"), dataset.groups("validation"), strict=True))
    return _Judge(
        conversions,
        form,
        contract,
        gate_for(form, classifier),
        pixels,
        np.array([side[image] for image in drawn.ids]),
        tuple(lesion[image] for image in drawn.ids),
        contract.codes,
        reference_session(classifier, contract).predict(pixels),
    )


def at_least(same: np.ndarray) -> float:
    """The share of images with the same first diagnosis, bool (N,), that a file is judged by.

    The lower end of its 95 % interval while one is searched for: among dozens of files some are
    good on these images by chance, and would fail on others. Of fewer than `FEW` images the share
    itself, since not even their perfect agreement would do.
    """
    return interval_of_share(same)[0] if len(same) >= FEW else float(same.mean())


def surely(difference: Estimate) -> float | None:
    """What a difference is at least, with its sign: the end of its interval that is nearest to 0.

    One image of a rare class moves balanced accuracy by more than its gate, so that a search that
    went by the difference itself would follow chance. None where it is undefined.
    """
    if difference.low is None or difference.high is None:
        return None
    return max(difference.low, 0.0) + min(difference.high, 0.0)


def balanced_accuracy(probabilities: np.ndarray, target: np.ndarray) -> float:
    """Mean sensitivity over the classes that occur; probabilities (N, K), class numbers (N,)."""
    every = np.ones((1, len(target)))
    return float(weighted_scores(probabilities, target, every).balanced_accuracy[0])


def _named(layers: tuple[str, ...]) -> str:
    if not layers:
        return "nothing"
    return " ".join(layers) if len(layers) <= 4 else f"{len(layers)} convolutions"
