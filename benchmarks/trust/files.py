"""Every exported file on the test side and on pictures, and the int8 file on changed ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from benchmarks.artifacts import listed_files
from benchmarks.trust.ask import Setting, ask_changed, ask_session, changed_ids
from benchmarks.trust.calibration import measure_calibration, uncalibrated
from benchmarks.trust.fit import Side
from benchmarks.trust.groups_part import measure_changes
from benchmarks.trust.images import REPORTING
from benchmarks.trust.operating import OperatingPoint
from benchmarks.trust.question import Question
from benchmarks.trust.unknown_part import measure_file
from distill.checkpoint import STUDENT_FILE
from distill.comparison import read_student
from distill.unknown import UNKNOWN_FILE
from export.formats import FORMATS
from export.reference import reference_session
from runtimes.console import note
from runtimes.contract_decision import Alert
from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.prediction import Session
from runtimes.session import open_model

TORCH = "torch:fp32"
_INT8 = ("tflite:int8", "onnx:int8", "coreml:w8a8")


# Where a class is called: as it was fitted, or as a contract carries it.
Point = OperatingPoint | Alert


def measure_files(
    setting: Setting,
    question: Question,
    points: Sequence[Point],
    missing: list[str],
    known: Mapping[str, dict[str, Any]] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Measures the files that are asked for; one that is known keeps its figures, asked for or not.

    Args:
        setting: what all questions share.
        question: of the files.
        points: where melanoma is called, in torch.
        missing: what is left out is added to it.
        known: SHA-256 of a file to what was measured of it before.
    """
    wanted, rows = _wanted(question), []
    for key, path in _listed(question).items():
        sha256 = sha256_of(path)
        if sha256 in known:
            rows.append(known[sha256])
        elif key in wanted:
            rows.append(_measure_file(setting, question, points, key, path, sha256))
    measured = {row["format"] for row in rows}
    if question.artifacts is None:
        missing.append("files: no artifact folder")
    elif left := [form.key for form in FORMATS if form.key not in measured]:
        missing.append(f"files not listed or left out: {', '.join(left)}")
    return rows


def measure_changed(setting: Setting, question: Question, missing: list[str]) -> dict[str, Any]:
    """Measures changes of the picture in torch and in the int8 file."""
    classifier, contract = read_student(question.run)
    parts = [sha256_of(question.run / STUDENT_FILE), str(contract.calibration.temperature)]
    if (question.run / UNKNOWN_FILE).is_file():
        parts.append(sha256_of(question.run / UNKNOWN_FILE))

    def torch_session() -> Session:
        return reference_session(classifier, contract)

    changed = {TORCH: ask_changed(setting, TORCH, " ".join(parts), torch_session)}
    wanted = _wanted(question)
    int8 = next((key for key in _INT8 if key in wanted), None)
    if int8 is not None:
        path = wanted[int8]
        changed[int8] = ask_changed(
            setting, int8, sha256_of(path), lambda: open_model(path, question.threads)
        )
    elif question.artifacts is not None:
        missing.append("changes of the picture in int8: no int8 file")
    rows = {image: row for row, image in enumerate(setting.dataset.ids(REPORTING))}
    places = [rows[image] for image in changed_ids(setting.dataset, setting.amounts)]
    labels, groups = setting.dataset.labels(REPORTING), setting.dataset.groups(REPORTING)
    return measure_changes(changed, labels[places], [groups[place] for place in places])


def _listed(question: Question) -> dict[str, Path]:
    if question.artifacts is None:
        return {}
    files, _ = listed_files(question.artifacts)
    return {key: question.artifacts / file for key, file in files.items()}


def _wanted(question: Question) -> dict[str, Path]:
    listed = _listed(question)
    if question.formats is None:
        return listed
    return {key: path for key, path in listed.items() if key in question.formats}


def _measure_file(
    setting: Setting,
    question: Question,
    points: Sequence[Point],
    key: str,
    path: Path,
    sha256: str,
) -> dict[str, Any]:
    test = Side(setting, REPORTING)

    def opened() -> Session:
        session = open_model(path, question.threads)
        check_outputs(path, session)
        return session

    answers = ask_session(setting, key, sha256, opened, (REPORTING,))
    told = answers[REPORTING]["probabilities"].astype(np.float64)
    after = told / told.sum(axis=1, keepdims=True)
    before = uncalibrated(after, setting.contract.calibration.temperature)
    threshold = setting.contract.calibration.unknown_threshold
    note(f"{key}: measured")
    return {
        "format": key,
        "file": path.name,
        "sha256": sha256,
        "calibration": {
            "before": measure_calibration(before, test.target, test.groups).to_json(),
            "temperature": measure_calibration(after, test.target, test.groups).to_json(),
        },
        "unknown": measure_file(answers, test.groups, threshold),
        "operating_points": _points(setting, points, after, test),
    }


def _points(
    setting: Setting, points: Sequence[Point], probabilities: np.ndarray, test: Side
) -> list[dict[str, Any]]:
    """The file at the thresholds of torch, which are what the contract carries."""
    rows = []
    for point in points:
        column = list(setting.dataset.index.classes).index(point.code)
        called, own = probabilities[:, column] >= point.threshold, test.target == column
        rows.append(
            {
                "aim": point.aim,
                "sensitivity": float(called[own].mean()) if own.any() else None,
                "specificity": None if own.all() else float((~called[~own]).mean()),
            }
        )
    return rows


def check_outputs(path: Path, session: Session) -> None:
    """Checks that a file has class maps and an unknown score.

    Raises:
        InputError: one is missing.
    """
    side = 1 if session.contract is None else session.contract.preprocessing.size
    answer = session.predict(np.zeros((1, side, side, 3), np.uint8))
    if not answer.cam.size:
        raise InputError(
            f"{path} has no output `cam`, so nobody can say where it looked. Export the model with "
            "`python -m export run`."
        )
    if not np.isfinite(answer.unknown).all():
        raise InputError(f"{path} has no output `unknown`. Export it with `python -m export run`.")
