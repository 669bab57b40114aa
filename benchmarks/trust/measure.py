"""All of it for one student: calibration, unknown, where it looked, groups, operating points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.trust.adopt import evidence
from benchmarks.trust.ask import Setting, held_out_groups
from benchmarks.trust.calibration import BINS, fit_vector, measure_calibration
from benchmarks.trust.claims import answers_to_the_article
from benchmarks.trust.files import measure_changed, measure_files
from benchmarks.trust.fit import Fit, Side
from benchmarks.trust.groups_part import measure_groups
from benchmarks.trust.images import CHOOSING, REPORTING
from benchmarks.trust.leave_out import HELD_OUT, without_class
from benchmarks.trust.network import Known
from benchmarks.trust.question import Question, about_network
from benchmarks.trust.scene import make_scene
from benchmarks.trust.unknown_part import measure_unknown, measure_withheld
from benchmarks.trust.where import ask_maps, grad_cam_difference, measure_where
from distill.calibration import calibrated
from distill.checkpoint import STUDENT_FILE
from distill.provenance import provenance
from runtimes.contract import Contract
from runtimes.hashes import sha256_of

SCHEMA, VERSION = "dermport.trust", "1.2"
VERSIONS = ("1.1", VERSION)  # the older one does not tell `material`
ABOUT_EVIDENCE = "what the contract tells as evidence"
_SAME = 1e-3


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
    missing: list[str] = []
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
        "material": material(setting),
        "calibration": _calibration(setting, found, test),
        "unknown": measure_unknown(found.choice, found.score, found.student, test.groups, lesions),
        "withheld": measure_withheld(
            scores, found.score.threshold, probabilities, test.target, test.groups, classes
        ),
        "operating_points": [point.to_json() for point in found.points],
        "adopted": (adopted := _adopted(setting, found)),
        "missing": missing,
    }
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
    if question.artifacts is not None and not adopted:
        missing.append(
            "files with what is fitted here: they carry another temperature, score or thresholds "
            "(--adopt, export again, measure again)"
        )
    document["files"] = measure_files(setting, question, found.points, missing)
    document["changes"] = measure_changed(setting, question, missing)
    if adopted and (told := outdated_evidence(setting.contract, evidence(document))) is not None:
        missing.append(told)
    return document | {"provenance": provenance()}


def material(setting: Setting) -> dict[str, str | None]:
    """SHA-256 of lesion masks, if there are any, and of photos: pictures are cut out of them."""
    masks = None if setting.masks is None else setting.masks.sha256
    return {"masks": masks, "photos": setting.photos.sha256}


def _without(setting: Setting, code: str) -> Setting:
    return Setting(**{**vars(setting), "dataset": without_class(setting.dataset, code)})


def _adopted(setting: Setting, found: Fit) -> bool:
    """Whether the contract carries what was fitted: else its files answer by something else."""
    return carries(
        setting.contract,
        found.score.kind,
        [found.temperature, found.score.threshold],
        [point.threshold for point in found.points],
    )


def carries(
    contract: Contract, kind: str, fitted: Sequence[float], points: Sequence[float]
) -> bool:
    """Whether a contract carries a decision.

    Another number of threads sums in another order, so equal fits differ in the last digits.

    Args:
        contract: of the student.
        kind: of the unknown score.
        fitted: temperature and threshold of the unknown score.
        points: thresholds of the operating points.
    """
    calibration, decision = contract.calibration, contract.decision
    if decision is None or decision.unknown_score != kind:
        return False
    own = [calibration.temperature, calibration.unknown_threshold]
    own += [alert.threshold for alert in decision.alerts]
    wanted = [*fitted, *points]
    return len(own) == len(wanted) and bool(np.allclose(own, wanted, _SAME, 0))


def outdated_evidence(contract: Contract, measured: Mapping[str, Any]) -> str | None:
    """Says so if a contract's evidence is not that of a measurement, to three digits.

    Args:
        contract: of the student.
        measured: what `evidence` returns of the measurement.
    """
    own = {} if contract.decision is None else contract.decision.evidence
    if own.keys() == measured.keys() and all(
        np.allclose(own[name], measured[name], rtol=0, atol=5e-4) for name in own
    ):
        return None
    again = "(--adopt renews it, then export again)"
    return f"{ABOUT_EVIDENCE}: that is of an earlier measurement {again}"


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
        "bins": BINS,
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
    for name, folder in networks.items():
        found["networks"][name]["about"] = about_network(folder)
    return found | {
        "grad_cam_difference": difference,
        "claims": answers_to_the_article(found),
    }
