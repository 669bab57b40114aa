"""All of it for one student: calibration, unknown, where it looked, groups, operating points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.artifacts import listed_files
from benchmarks.trust.ask import (
    Setting,
    ask_changed,
    ask_held_out,
    ask_session,
    ask_student,
    changed_ids,
    held_out_groups,
)
from benchmarks.trust.calibration import fit_vector, measure_calibration, uncalibrated
from benchmarks.trust.choose import Choice, choose
from benchmarks.trust.groups_part import measure_changes, measure_groups
from benchmarks.trust.images import CHOOSING, REPORTING, side_rows
from benchmarks.trust.leave_out import HELD_OUT, without_class
from benchmarks.trust.network import Known
from benchmarks.trust.operating import MELANOMA, OperatingPoint, measure_operating_points
from benchmarks.trust.unknown_part import (
    Fitted,
    fitted,
    material,
    measure_file,
    measure_unknown,
    measure_withheld,
)
from benchmarks.trust.where import (
    answers_to_the_article,
    ask_maps,
    grad_cam_difference,
    make_scene,
    measure_where,
)
from distill.calibration import calibrated, fit_temperature
from distill.checkpoint import STUDENT_FILE
from distill.comparison import read_student
from distill.provenance import provenance
from export.formats import FORMATS
from export.reference import reference_session
from runtimes.console import note
from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.prediction import Session
from runtimes.session import open_model

SCHEMA, VERSION = "dermport.trust", "1.0"
TORCH = "torch:fp32"
_SAME_TEMPERATURE = 0.01
_INT8 = ("tflite:int8", "onnx:int8", "coreml:w8a8")


@dataclass(frozen=True)
class Question:
    """What is asked for.

    Attributes:
        run: of the student.
        artifacts: folder of its files; None to measure torch alone.
        formats: which of the listed files; None for all.
        leave_out: folder of students that never saw a class, one folder a class, if any.
        networks: name to run folder of others whose class maps are compared.
        threads: of each runtime.
    """

    run: Path
    artifacts: Path | None
    formats: tuple[str, ...] | None
    leave_out: Path | None
    networks: Mapping[str, Path]
    threads: int


@dataclass(frozen=True)
class Fit:
    """What was fitted on the validation side, and the answers that it was fitted on.

    Attributes:
        temperature: T.
        score: the unknown score.
        choice: how it was chosen.
        points: operating points for melanoma; none where the data set has no melanoma.
        student: answers of the student in torch.
    """

    temperature: float
    score: Fitted
    choice: Choice
    points: tuple[OperatingPoint, ...]
    student: Mapping[str, Known]


class Side:
    """Labels and lesions of the images of a side that are asked about."""

    def __init__(self, setting: Setting, side: str) -> None:
        rows = side_rows(setting.dataset, side, setting.amounts)
        groups = setting.dataset.groups(side)
        self.target = setting.dataset.labels(side)[rows]
        self.groups = [groups[row] for row in rows]


def check_classes(setting: Setting) -> None:
    """Checks that every class can be calibrated.

    Raises:
        InputError: a class has no validation image.
    """
    present = set(Side(setting, CHOOSING).target.tolist())
    classes = setting.dataset.index.classes
    absent = [code for k, code in enumerate(classes) if k not in present]
    if absent:
        raise InputError(
            f"the validation side has no image of {', '.join(absent)}; temperature, thresholds and "
            "operating points would say nothing about it. Ask about more images, or use a split "
            "with images of every class on every side."
        )


def fit(setting: Setting, question: Question) -> tuple[Fit, dict[str, dict[str, Known]]]:
    """Asks the student and those that never saw a class, and fits on the validation side."""
    check_classes(setting)
    student = ask_student(setting, question.run)
    held_out = {
        folder.name: ask_held_out(setting, folder, folder.name)
        for folder in _held_out_folders(question.leave_out)
    }
    validation, test = Side(setting, CHOOSING), Side(setting, REPORTING)
    temperature = _temperature(setting, student[CHOOSING].logits, validation.target)
    choice = choose(material(student), {code: material(own) for code, own in held_out.items()})
    probabilities = {
        side: calibrated(student[side].logits, temperature) for side in (CHOOSING, REPORTING)
    }
    classes = setting.dataset.index.classes
    points: tuple[OperatingPoint, ...] = ()
    if MELANOMA in classes:
        points = measure_operating_points(
            probabilities[CHOOSING],
            validation.target,
            probabilities[REPORTING],
            test.target,
            test.groups,
            classes,
        )
    return Fit(temperature, fitted(choice, student), choice, points, student), held_out


def _temperature(setting: Setting, logits: np.ndarray, target: np.ndarray) -> float:
    """The contract's own temperature, where a new fit says the same.

    Training evaluates without rounding pixels twice, as applications do, so the two fits differ by
    a little that means nothing; the figures of training are told at the contract's.
    """
    own, new = setting.contract.calibration.temperature, fit_temperature(logits, target)
    return own if abs(new / own - 1) < _SAME_TEMPERATURE else new


def _held_out_folders(root: Path | None) -> list[Path]:
    if root is None:
        return []
    found = sorted(path.parent for path in root.glob(f"*/{STUDENT_FILE}"))
    if not found:
        raise InputError(
            f"{root} holds no finished student that never saw a class. Train them with "
            "`python -m benchmarks leave-out`, or leave out --leave-out."
        )
    return found


def measure(
    setting: Setting, question: Question, found: Fit, held_out: Mapping[str, dict[str, Known]]
) -> dict[str, Any]:
    """Measures everything that there is material for, and says what there is none for."""
    dataset, test = setting.dataset, Side(setting, REPORTING)
    classes = dataset.index.classes
    logits = found.student[REPORTING].logits
    probabilities = calibrated(logits, found.temperature)
    scores = found.score.of(found.student[REPORTING])
    lesions = {
        code: (
            own,
            Side(_without(setting, code), REPORTING).groups,
            held_out_groups(dataset, code),
        )
        for code, own in held_out.items()
    }
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "version": VERSION,
        "name": setting.contract.name,
        "synthetic": dataset.index.synthetic,
        "student": {"sha256": sha256_of(question.run / STUDENT_FILE)},
        "split": {"protocol": dataset.split.protocol, "sha256": dataset.split.sha256},
        "images": len(test.target),
        "lesions": len(set(test.groups)),
        "amounts": vars(setting.amounts),
        "calibration": _calibration(setting, found, test),
        "unknown": measure_unknown(found.choice, found.score, found.student, test.groups, lesions),
        "withheld": measure_withheld(
            scores, found.score.threshold, probabilities, test.target, test.groups, classes
        ),
        "operating_points": [point.to_json() for point in found.points],
        "files": [],
        "missing": [],
    }
    missing: list[str] = document["missing"]
    if len(test.target) == len(dataset.ids(REPORTING)):
        alert = found.points[0].threshold if found.points else None
        accepted = scores <= found.score.threshold
        document["groups"] = measure_groups(dataset, probabilities, accepted, alert)
    else:
        missing.append("groups: only part of the test side was asked about")
    for code in HELD_OUT:
        if code in classes and code not in held_out:
            missing.append(f"{code} held out: no finished student that never saw it (--leave-out)")
    document["where"] = _where(setting, question, missing)
    document["changes"] = _files(setting, question, found, document, missing)
    return document | {"provenance": provenance()}


def _without(setting: Setting, code: str) -> Setting:
    return Setting(**{**vars(setting), "dataset": without_class(setting.dataset, code)})


def _calibration(setting: Setting, found: Fit, test: Side) -> dict[str, Any]:
    """Before, with temperature, and with vector scaling; torch."""
    validation, logits = Side(setting, CHOOSING), found.student[REPORTING].logits
    vector = fit_vector(found.student[CHOOSING].logits, validation.target)
    ways = {
        "before": calibrated(logits, 1.0),
        "temperature": calibrated(logits, found.temperature),
        "vector": vector.apply(logits),
    }
    measured = {
        name: measure_calibration(each, test.target, test.groups).to_json()
        for name, each in ways.items()
    }
    gain = measured["temperature"]["nll"]["value"] - measured["vector"]["nll"]["value"]
    agree = float((ways["vector"].argmax(1) == ways["temperature"].argmax(1)).mean())
    return {
        "bins": 15,
        "temperature": found.temperature,
        "vector": {"scale": vector.scale.tolist(), "shift": vector.shift.tolist()},
        "vector_gain_nll": gain,
        "vector_same_diagnosis": agree,
        "torch": measured,
    }


def _where(setting: Setting, question: Question, missing: list[str]) -> dict[str, Any] | None:
    if setting.masks is None:
        missing.append("where it looked, and skin beside lesions: no lesion masks (--masks)")
        return None
    networks = {setting.contract.training.method: question.run} | dict(question.networks)
    for name in ("teacher", "no_kd", "blkd"):
        if name not in networks:
            missing.append(f"where {name} looked: no --run {name}=FOLDER")
    answers = {name: ask_maps(setting, name, folder) for name, folder in networks.items()}
    scene = make_scene(setting)
    label = dict(
        zip(setting.dataset.ids(REPORTING), setting.dataset.labels(REPORTING), strict=True)
    )
    found = measure_where(scene, answers, np.array([label[image] for image in scene.ids]))
    difference = grad_cam_difference(question.run, scene, setting.contract.preprocessing.size)
    return found | {
        "grad_cam_difference": difference,
        "claims": answers_to_the_article(found),
    }


def _files(
    setting: Setting,
    question: Question,
    found: Fit,
    document: dict[str, Any],
    missing: list[str],
) -> dict[str, Any]:
    """Every file on the test side and on pictures; torch and the int8 file on changed ones."""
    classifier, contract = read_student(question.run)
    torch_key = f"{document['student']['sha256']} {contract.calibration.temperature}"

    def torch_session() -> Session:
        return reference_session(classifier, contract)

    changed = {TORCH: ask_changed(setting, TORCH, torch_key, torch_session)}
    if question.artifacts is None:
        missing.append("files: no artifact folder")
    else:
        files, student = listed_files(question.artifacts)
        if student != document["student"]["sha256"]:
            raise InputError(
                f"{question.artifacts} was exported from another student than {question.run}'s. "
                "Export the run again, or name its folder with --artifacts."
            )
        wanted = [key for key in files if question.formats is None or key in question.formats]
        if left := [form.key for form in FORMATS if form.key not in wanted]:
            missing.append(f"files not listed or left out: {', '.join(left)}")
        for key in wanted:
            path = question.artifacts / files[key]
            _measure_file(setting, question, found, document, key, path)
        int8 = next((key for key in _INT8 if key in wanted), None)
        if int8 is None:
            missing.append("changes of the picture in int8: no int8 file")
        else:
            path = question.artifacts / files[int8]
            changed[int8] = ask_changed(
                setting, int8, sha256_of(path), lambda: open_model(path, question.threads)
            )
    ids = changed_ids(setting.dataset, setting.amounts)
    rows = dict(zip(setting.dataset.ids(REPORTING), range(10**9), strict=False))
    labels, groups = setting.dataset.labels(REPORTING), setting.dataset.groups(REPORTING)
    places = [rows[image] for image in ids]
    return measure_changes(changed, labels[places], [groups[place] for place in places])


def _measure_file(
    setting: Setting,
    question: Question,
    found: Fit,
    document: dict[str, Any],
    key: str,
    path: Path,
) -> None:
    test, sha256 = Side(setting, REPORTING), sha256_of(path)
    session: list[Session] = []

    def opened() -> Session:
        session.append(open_model(path, question.threads))
        check_outputs(path, session[0])
        return session[0]

    answers = ask_session(setting, key, sha256, opened, (REPORTING,))
    told = answers[REPORTING]["probabilities"].astype(np.float64)
    after = told / told.sum(axis=1, keepdims=True)
    temperature = setting.contract.calibration.temperature
    unknown = measure_file(answers, test.groups, setting.contract.calibration.unknown_threshold)
    document["files"].append(
        {
            "format": key,
            "file": path.name,
            "sha256": sha256,
            "calibration": {
                "before": measure_calibration(
                    uncalibrated(after, temperature), test.target, test.groups
                ).to_json(),
                "temperature": measure_calibration(after, test.target, test.groups).to_json(),
            },
            "unknown": unknown,
            "operating_points": _points(setting, found, after, test),
        }
    )
    note(f"{key}: measured")


def _points(
    setting: Setting, found: Fit, probabilities: np.ndarray, test: Side
) -> list[dict[str, Any]]:
    """The file at the thresholds of torch, which are what the contract carries."""
    rows = []
    for point in found.points:
        column = list(setting.dataset.index.classes).index(point.code)
        called, own = probabilities[:, column] >= point.threshold, test.target == column
        rows.append(
            {
                "aim": point.aim,
                "sensitivity": float(called[own].mean()) if own.any() else None,
                "specificity": float((~called[~own]).mean()),
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
