"""Chooses what stays in float by writing files and judging them on validation images."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Collection, Sequence
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
from export.image_set import diagnoses_and_lesions, draw_at_random, network_pixels
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
from runtimes.prediction import Prediction, Session, joined
from runtimes.session import open_model

JUDGED, FIRST, FEW = 4096, 1024, 256
_AT_ONCE = 256
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
        images: drawn at random from it, or all where it has fewer. A file that does not agree on
            the first `FIRST` of them is not asked for the others.
        seed: of that draw.
        apart: ids of images that do not judge, since the choice is tested on them.
    """
    deployable = conversions.rescaled
    trunk = fx.symbolic_trace(deployable.trunk)
    samples = conversions.calibration[:_SENSITIVITY_IMAGES]
    cost = multiply_accumulates(trunk, deployable.trunk_input(samples[:1]))
    decides, *others = formats
    judge = _judge(conversions, decides, classifier, contract, dataset, images, seed, apart)

    def told(choice: Choice) -> Choice:
        found = {
            form.key: judge.of(form, gate_for(form, classifier))(choice.layers)
            for form in others
            if choice.passed
        }
        return replace(
            choice, format=decides.key, images=len(judge.images), seed=seed, others=found
        )

    if len(judge.images) < FEW:
        warn(
            f"only {len(judge.images)} validation images decide which layers stay in float; a file "
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
class Yardstick:
    """Torch's answers to validation images, and how far a file may be from them.

    Attributes:
        gate: of the file's format.
        reference: torch's answers to N images in random order.
        target: class number of each image, (N,).
        lesions: of each image.
        codes: of the classes.
    """

    gate: Gate
    reference: Prediction
    target: np.ndarray
    lesions: tuple[str, ...]
    codes: tuple[str, ...]

    def judge(
        self, layers: tuple[str, ...], answers: Callable[[int, int], Prediction], *, searched: bool
    ) -> Trial:
        """Judges a file with these layers in float.

        Args:
            layers: convolutions in float.
            answers: gives the file's answers to the images from a first to before a last number.
            searched: whether it is one of many among which one is looked for. Then what fails on
                the first images is not asked for the others, and what passes has to pass on all,
                beyond chance.
        """
        count = len(self.target)
        if not searched:
            return self._trial(layers, answers(0, count), chance=False)
        found = answers(0, min(FIRST, count))
        trial = self._trial(layers, found, chance=False)
        if trial.faults:
            return trial
        if count > FIRST:
            found = joined([found, answers(FIRST, count)])
        return self._trial(layers, found, chance=True)

    def _trial(self, layers: tuple[str, ...], found: Prediction, *, chance: bool) -> Trial:
        """Judges answers to the first images; with `chance`, by what is more than that."""
        count = len(found.probabilities)
        own = found.probabilities.astype(np.float64)
        torchs = self.reference.probabilities[:count].astype(np.float64)
        target, lesions = self.target[:count], self.lesions[:count]
        difference = paired_difference(torchs, own, target, lesions, self.codes)
        same = own.argmax(axis=1) == torchs.argmax(axis=1)
        judged_by = at_least(same) if chance else float(same.mean())
        largest = float(np.abs(own - torchs).max())
        deviation = Deviation(largest, judged_by, surely(difference["balanced_accuracy"]))
        return Trial(
            layers,
            float(same.mean()),
            judged_by,
            difference["balanced_accuracy"],
            mean_divergence(torchs, own),
            count,
            self.gate.faults(deviation),
        )


@dataclass(frozen=True)
class _Judge:
    """Writes files of a format and holds them against torch."""

    conversions: Conversions
    form: Format
    contract: Contract
    dataset: Dataset
    images: tuple[str, ...]
    yardstick: Yardstick
    searches: bool = True

    def of(self, form: Format, gate: Gate) -> _Judge:
        """The judge of one file of another format."""
        yardstick = replace(self.yardstick, gate=gate)
        return replace(self, form=form, yardstick=yardstick, searches=False)

    def __call__(self, layers: tuple[str, ...], left: int | None = 0) -> Trial:
        """Writes a file with these convolutions in float and judges it.

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
            session = open_model(path, torch.get_num_threads())

            def answers(first: int, last: int) -> Prediction:
                return _answers(session, self.dataset, self.images[first:last], self.contract)

            trial = self.yardstick.judge(layers, answers, searched=self.searches)
        took = time.monotonic() - started
        ahead = f", at most {left} more files, {left * took / 60:.1f} min" if left else ""
        note(
            f"{self.form.key} with {_named(layers)} in float: {100 * trial.agreement:.2f} % of "
            f"{trial.images:,} agree (judged by {100 * trial.judged_by:.2f}), "
            f"KL {trial.divergence:.1e}, "
            f"{'; '.join(trial.faults) or 'passes'} ({took:.0f} s{ahead})"
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
    yardstick = Yardstick(
        gate_for(form, classifier),
        _answers(reference_session(classifier, contract), dataset, drawn.ids, contract),
        *diagnoses_and_lesions(dataset, drawn),
        contract.codes,
    )
    return _Judge(conversions, form, contract, dataset, drawn.ids, yardstick)


def _answers(
    session: Session, dataset: Dataset, images: Sequence[str], contract: Contract
) -> Prediction:
    """Answers to validation images, whose pixels are not held all at once."""
    parts = []
    with progress("judging images", len(images)) as bar:
        for start in range(0, len(images), _AT_ONCE):
            part = images[start : start + _AT_ONCE]
            parts.append(session.predict(network_pixels(dataset, part, contract.preprocessing)))
            bar.advance(len(part))
    return joined(parts)


def at_least(same: np.ndarray) -> float:
    """The share of images with the same first diagnosis, bool (N,), that a file is judged by.

    The lower end of its 95 % interval: among dozens of files some are good on these images by
    chance, and would fail on others. Of fewer than `FEW` images the share
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
