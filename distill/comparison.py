"""Finished runs measured side by side on the same images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from distill.calibration import calibrated
from distill.checkpoint import STUDENT_FILE, load_classifier
from distill.dataset import Dataset, DeviceImages
from distill.device import to_channels_last
from distill.inference import predict_logits
from distill.kept_logits import kept_logits
from distill.metrics import Estimate, Metrics, evaluate, paired_difference
from distill.models import Classifier
from distill.splits import read_split
from distill.unknown import UNKNOWN_FILE, load_unknown
from runtimes.contract import Contract
from runtimes.errors import InputError
from runtimes.hashes import sha256_of


@dataclass(frozen=True)
class Measured:
    """A run's probabilities (n, K) on one side, its metrics and the input size used."""

    probabilities: np.ndarray
    metrics: Metrics
    size: int


def read_student(run: Path) -> tuple[Classifier, Contract]:
    """Reads the student and the contract of a finished run or a released model.

    Raises:
        InputError: the folder holds no finished run, or another student's unknown score.
    """
    model = load_classifier(run / STUDENT_FILE)
    path = run / "contract.json"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); give a finished run.") from error
    contract = Contract.from_json(text, str(path))
    if contract.training.student != model.architecture:
        raise InputError(
            f"{run / STUDENT_FILE} is a {model.architecture}, but {path} speaks of a "
            f"{contract.training.student}: they belong to different runs. Restore the file."
        )
    if contract.decision is not None and contract.decision.unknown_score == "features":
        student = sha256_of(run / STUDENT_FILE)
        model.unknown = load_unknown(run / UNKNOWN_FILE, student, model.width)
    return model, contract


def measure_run(
    run: Path, dataset: Dataset, images: DeviceImages, side: str, size: int | None = None
) -> Measured:
    """Measures a run's student on a side of a data set, in float32, from kept logits if there are.

    Raises:
        InputError: the run was trained on another split, so its test side is not this one.
    """
    if read_split(run / "split.json").sha256 != dataset.split.sha256:
        raise InputError(
            f"{run} was trained on another split; two runs can be compared only on one split. "
            "Train it with the same data, --split and --seed."
        )
    model, contract = read_student(run)
    size = size or contract.preprocessing.size
    kept = kept_logits(run / STUDENT_FILE, dataset, size, side)
    logits = kept
    if logits is None:
        to_channels_last(model, images.device)
        rows, what = dataset.rows(side), f"evaluating {run.name} on the {side} side"
        logits = predict_logits(model, images, rows, size, what=what).numpy()
    probabilities = calibrated(logits, contract.calibration.temperature)
    metrics = evaluate(
        probabilities, dataset.labels(side), dataset.groups(side), dataset.index.classes
    )
    return Measured(probabilities, metrics, size)


def compare_runs(
    before: Measured, after: Measured, dataset: Dataset, side: str
) -> dict[str, Estimate]:
    """Returns `after` minus `before` of every metric, paired over lesions."""
    return paired_difference(
        before.probabilities,
        after.probabilities,
        dataset.labels(side),
        dataset.groups(side),
        dataset.index.classes,
    )
