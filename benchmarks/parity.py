"""Every exported file on the whole test side, beside torch in float32: what did a format cost?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.artifacts import listed_files
from distill.comparison import read_student
from distill.dataset import Dataset
from distill.metrics import Estimate, Resampled, mean_differences, mean_estimates, resample
from distill.provenance import provenance
from export.divergence import mean_divergence
from export.formats import FORMATS, Format
from export.gates import Deviation, Gate, gate_for
from export.image_set import network_pixels
from export.reference import reference_session
from runtimes.console import progress
from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.prediction import Session
from runtimes.session import open_model

TORCH = "torch:fp32"
MELANOMA = "MEL"
_AT_ONCE = 128
_SENSITIVITY = 0.90


@dataclass(frozen=True)
class FileParity:
    """What one file answers on N test images, compared with torch in float32.

    Attributes:
        format: its key in the table of formats, or TORCH.
        file: its name; "" for torch itself.
        backend: what really ran.
        metrics: scalar metrics with 95 % intervals over lesions.
        difference: the file's metrics minus torch's, paired over lesions.
        agreement: share of images with torch's first diagnosis.
        probability: largest difference of any probability.
        divergence: mean KL(torch ‖ file) of the probabilities, in nats.
        melanoma_sensitivity: at torch's operating point; None without melanomas.
        faults: what is outside the gate, in words.
        sha256: of the file; "" for torch itself.
    """

    format: str
    file: str
    backend: str
    metrics: dict[str, Estimate]
    difference: dict[str, Estimate]
    agreement: float
    probability: float
    divergence: float
    melanoma_sensitivity: float | None
    faults: tuple[str, ...] = ()
    sha256: str = ""

    @property
    def deviation(self) -> Deviation:
        """What the gate looks at."""
        difference = self.difference["balanced_accuracy"].value
        return Deviation(self.probability, self.agreement, difference)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        plain = {name: dict(vars(value)) for name, value in self.metrics.items()}
        difference = {name: dict(vars(value)) for name, value in self.difference.items()}
        return {
            **vars(self),
            "metrics": plain,
            "difference": difference,
            "faults": list(self.faults),
        }


@dataclass(frozen=True)
class Parity:
    """The table of an artifact folder.

    Attributes:
        images: N, and `lesions` of them.
        side: "test".
        threshold: probability of melanoma at which torch finds 90 % of the validation melanomas.
        rows: torch first, then the files in the order of the format table.
        student: SHA-256 of the student's weights.
    """

    images: int
    lesions: int
    side: str
    threshold: float | None
    rows: tuple[FileParity, ...]
    student: str

    def to_json(self) -> dict[str, Any]:
        """Plain values with versions and commit."""
        return {
            "images": self.images,
            "lesions": self.lesions,
            "side": self.side,
            "melanoma_threshold": self.threshold,
            "student": {"sha256": self.student},
            "rows": [row.to_json() for row in self.rows],
            "provenance": provenance(),
        }


def measure_parity(
    artifacts: Path,
    run: Path,
    dataset: Dataset,
    formats: Sequence[Format] = FORMATS,
    images: int | None = None,
    threads: int = 2,
) -> Parity:
    """Runs torch and every listed file over the test side.

    Args:
        artifacts: folder that an export wrote.
        run: the run it was exported from.
        dataset: the run's.
        formats: which of the listed files.
        images: at most so many test images (the first ones); all by default.
        threads: of each runtime.

    Raises:
        InputError: the folder was exported from another student, or lists none of the formats.
    """
    files, student = listed_files(artifacts)
    if sha256_of(run / "student.safetensors") != student:
        raise InputError(
            f"{artifacts} was exported from another student than {run}'s. Name its run with --run."
        )
    classifier, contract = read_student(run)
    chosen = [form for form in formats if form.key in files]
    absent = [form.key for form in formats if form.key not in files]
    if not chosen or (absent and tuple(formats) != FORMATS):
        raise InputError(
            f"{artifacts} does not list {', '.join(absent)}; it has: {', '.join(files)}. Export "
            "what is missing, or leave it out of --only."
        )
    sessions: dict[str, Session] = {TORCH: reference_session(classifier, contract)}
    sessions |= {form.key: open_model(artifacts / files[form.key], threads) for form in chosen}
    ids = dataset.ids("test")[:images]
    answers = _answers(sessions, dataset, ids, contract.preprocessing)
    target, groups = dataset.labels("test")[: len(ids)], dataset.groups("test")[: len(ids)]
    classes = dataset.index.classes
    measured = {
        key: resample(_normalised(found), target, groups, classes) for key, found in answers.items()
    }
    threshold = _operating_point(run, dataset, sessions[TORCH])
    melanoma = target == classes.index(MELANOMA) if threshold is not None else None

    def row(key: str, file: str, gate: Gate | None) -> FileParity:
        found = _row(key, file, sessions[key], answers, measured, threshold, melanoma, classes)
        faults = () if gate is None else gate.faults(found.deviation)
        if broken := int((~_sound(answers[key])).sum()):
            faults = (f"{broken} images have an answer that is no probabilities", *faults)
        sha256 = sha256_of(artifacts / file) if file else ""
        return FileParity(**{**vars(found), "faults": faults, "sha256": sha256})

    rows = [row(TORCH, "", None)]
    rows += [row(form.key, files[form.key], gate_for(form, classifier)) for form in chosen]
    return Parity(len(ids), measured[TORCH].lesions, "test", threshold, tuple(rows), student)


def _answers(
    sessions: Mapping[str, Session], dataset: Dataset, ids: Sequence[str], recipe: Any
) -> dict[str, np.ndarray]:
    """Probabilities (N, K) of every session; all see one batch before the next is decoded."""
    found: dict[str, list[np.ndarray]] = {key: [] for key in sessions}
    with progress("files on the test side", len(ids) * len(sessions)) as bar:
        for batch in _batches(ids):
            pixels = network_pixels(dataset, batch, recipe)
            for key, session in sessions.items():
                found[key].append(session.predict(pixels).probabilities)
                bar.advance(len(batch), key)
    return {key: np.concatenate(parts).astype(np.float64) for key, parts in found.items()}


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]


def _operating_point(run: Path, dataset: Dataset, session: Session) -> float | None:
    """The melanoma threshold of torch on validation images: 90 % of the melanomas lie above."""
    classes = dataset.index.classes
    if MELANOMA not in classes:
        return None
    column = classes.index(MELANOMA)
    labels = dataset.labels("validation")
    ids = [i for i, label in zip(dataset.ids("validation"), labels, strict=True) if label == column]
    if not ids:
        return None
    assert session.contract is not None
    recipe = session.contract.preprocessing
    scores = [
        session.predict(network_pixels(dataset, batch, recipe)).probabilities[:, column]
        for batch in _batches(ids)
    ]
    return float(np.quantile(np.concatenate(scores), 1 - _SENSITIVITY))


def _row(
    key: str,
    file: str,
    session: Session,
    answers: Mapping[str, np.ndarray],
    measured: Mapping[str, Resampled],
    threshold: float | None,
    melanoma: np.ndarray | None,
    classes: Sequence[str],
) -> FileParity:
    own, torchs = (_normalised(answers[name]) for name in (key, TORCH))
    sensitivity = None
    if threshold is not None and melanoma is not None and melanoma.any():
        scores = own[melanoma, classes.index(MELANOMA)]
        sensitivity = float((scores >= threshold).mean())
    return FileParity(
        format=key,
        file=file,
        backend=session.backend,
        metrics=mean_estimates([measured[key]]),
        difference=mean_differences([measured[TORCH]], [measured[key]]),
        agreement=float((own.argmax(1) == torchs.argmax(1)).mean()),
        probability=float(np.abs(own - torchs).max()),
        divergence=mean_divergence(torchs, own),
        melanoma_sensitivity=sensitivity,
    )


def _normalised(probabilities: np.ndarray) -> np.ndarray:
    """Sums of 1 to the last digit, which float16 and int8 do not keep.

    An answer that is no probabilities counts as knowing nothing; `_sound` tells of it.
    """
    even = np.full_like(probabilities, 1 / probabilities.shape[1])
    clipped = np.where(_sound(probabilities)[:, None], np.clip(probabilities, 0, None), even)
    return np.asarray(clipped / clipped.sum(axis=1, keepdims=True))


def _sound(probabilities: np.ndarray) -> np.ndarray:
    """Which answers (N,) are finite and say anything at all."""
    finite = np.isfinite(probabilities).all(axis=1)
    return np.asarray(finite & (np.nan_to_num(probabilities).clip(0).sum(axis=1) > 0.5))
