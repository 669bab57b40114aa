"""Chooses what stays in float by writing files and judging them on validation images."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import fx

from distill.dataset import Dataset
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
from runtimes.console import note, progress, warn
from runtimes.contract import Contract
from runtimes.errors import MissingDependencyError
from runtimes.metadata import embed_contract
from runtimes.prediction import Prediction
from runtimes.session import open_model

JUDGED, FEW = 1024, 256
_SENSITIVITY_IMAGES = 32


def judged_format(formats: Sequence[Format]) -> Format | None:
    """Returns the int8 format whose files decide for all, the one that runs fastest here.

    None where no converter of one is installed; each format then says so itself.
    """
    order = ("tflite", "onnx", "coreml")
    rounded = [form for form in formats if form.rounds_activations and _is_installed(form)]
    return min(rounded, key=lambda form: order.index(form.family), default=None)


def _is_installed(form: Format) -> bool:
    try:
        form.require_packages()
    except MissingDependencyError:
        return False
    return True


def choose_float_layers(
    conversions: Conversions,
    form: Format,
    classifier: Classifier,
    contract: Contract,
    dataset: Dataset,
    *,
    images: int = JUDGED,
    seed: int = 0,
) -> Choice:
    """Returns the least set of convolutions in float with which a file passes its gate.

    Args:
        conversions: of the student, with calibration images.
        form: the int8 format that is written and judged; the choice holds for the others too.
        classifier: the student.
        contract: with preprocessing and temperature.
        dataset: whose validation side judges.
        images: drawn at random from it, or all where it has fewer.
        seed: of that draw.
    """
    deployable = conversions.equalized
    trunk = fx.symbolic_trace(deployable.trunk)
    samples = conversions.calibration[:_SENSITIVITY_IMAGES]
    cost = multiply_accumulates(trunk, deployable.trunk_input(samples[:1]))
    judge = _judge(conversions, form, classifier, contract, dataset, images, seed)

    def told(choice: Choice) -> Choice:
        return replace(choice, format=form.key, images=len(judge.target), seed=seed)

    if len(judge.target) < FEW:
        warn(
            f"only {len(judge.target)} validation images decide which layers stay in float; a file "
            "that passes on so few may fail on others."
        )
    first = judge(())
    if not first.faults:
        return told(choose([()], lambda layers: first, cost))
    with progress("layers") as bar:
        noise = measure_sensitivity(
            deployable, samples, ROUNDINGS["int8"], lambda done, total: bar.advance()
        )
    sets = growing_sets(trunk, noise.layers, cost)
    return told(choose(sets, lambda layers: judge(layers) if layers else first, cost))


@dataclass(frozen=True)
class _Judge:
    conversions: Conversions
    form: Format
    contract: Contract
    gate: Gate
    pixels: np.ndarray
    target: np.ndarray
    reference: Prediction

    def __call__(self, layers: tuple[str, ...]) -> Trial:
        """Writes a file with these convolutions in float and compares it with torch."""
        settings = replace(self.conversions.quantization, float_layers=layers)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"trial{self.form.suffix}"
            self.conversions.with_quantization(settings).write(self.form, path)
            embed_contract(path, self.contract)
            found = open_model(path, torch.get_num_threads()).predict(self.pixels)
        own, torchs = found.probabilities, self.reference.probabilities
        deviation = Deviation(
            float(np.abs(own - torchs).max()),
            float((own.argmax(axis=1) == torchs.argmax(axis=1)).mean()),
            balanced_accuracy(own, self.target) - balanced_accuracy(torchs, self.target),
        )
        trial = Trial(
            layers,
            deviation.agreement,
            deviation.balanced_accuracy,
            mean_divergence(torchs.astype(np.float64), own.astype(np.float64)),
            self.gate.faults(deviation),
        )
        note(
            f"{self.form.key} with {_named(layers)} in float: {100 * trial.agreement:.2f} % agree, "
            f"KL {trial.divergence:.1e}, {'; '.join(trial.faults) or 'passes'}"
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
) -> _Judge:
    drawn = draw_at_random(dataset, "validation", images, seed)
    pixels = network_pixels(dataset, drawn.ids, contract.preprocessing)
    side = dict(zip(dataset.ids("validation"), dataset.labels("validation"), strict=True))
    target = np.array([side[image] for image in drawn.ids])
    reference = reference_session(classifier, contract).predict(pixels)
    return _Judge(
        conversions, form, contract, gate_for(form, classifier), pixels, target, reference
    )


def balanced_accuracy(probabilities: np.ndarray, target: np.ndarray) -> float:
    """Mean sensitivity over the classes that occur; probabilities (N, K), class numbers (N,)."""
    every = np.ones((1, len(target)))
    return float(weighted_scores(probabilities, target, every).balanced_accuracy[0])


def _named(layers: tuple[str, ...]) -> str:
    if not layers:
        return "nothing"
    return " ".join(layers) if len(layers) <= 4 else f"{len(layers)} convolutions"
