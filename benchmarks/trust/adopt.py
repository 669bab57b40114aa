"""Puts what was fitted into a run: temperature, unknown score, thresholds, and their evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.trust.ask import Setting
from benchmarks.trust.fit import Fit, Side
from benchmarks.trust.images import CHOOSING
from distill.calibration import accepted_sensitivity, calibrated
from distill.checkpoint import STUDENT_FILE
from distill.unknown import UNKNOWN_FILE, save_unknown
from runtimes.atomic import write_text
from runtimes.contract import Calibration, Contract
from runtimes.contract_decision import Alert, Decision
from runtimes.hashes import sha256_of
from runtimes.metadata import CONTRACT_FILE

IN_FORCE = 0.90


def decided(setting: Setting, found: Fit, document: Mapping[str, Any]) -> Contract:
    """Returns the run's contract with what was fitted, and what it was measured to be worth."""
    side = Side(setting, CHOOSING)
    scores = found.score.of(found.student[CHOOSING])
    probabilities = calibrated(found.student[CHOOSING].logits, found.temperature)
    accepted = float((scores <= found.score.threshold).mean())
    calibration = Calibration(
        temperature=found.temperature,
        unknown_threshold=found.score.threshold,
        accepted_share=accepted,
        sensitivity=accepted_sensitivity(
            probabilities,
            side.target,
            scores,
            found.score.threshold,
            setting.dataset.index.classes,
        ),
    )
    alerts = tuple(
        Alert(
            code=point.code,
            aim=point.aim,
            threshold=point.threshold,
            sensitivity=_three(vars(point.sensitivity)),
            specificity=_three(vars(point.specificity)),
        )
        for point in found.points
    )
    decision = Decision(
        unknown_score=found.score.kind,
        aim=IN_FORCE if any(alert.aim == IN_FORCE for alert in alerts) else None,
        alerts=alerts,
        evidence=evidence(document),
    )
    return replace(setting.contract, calibration=calibration, decision=decision)


def adopt(run: Path, contract: Contract, found: Fit) -> tuple[Path, ...]:
    """Writes the contract and, where it has one, the score; returns what was written.

    The score goes first: a contract that speaks of one that is not there could not be exported.
    """
    written = []
    if found.score.score is not None:
        path = run / UNKNOWN_FILE
        save_unknown(path, found.score.score, sha256_of(run / STUDENT_FILE))
        written.append(path)
    write_text(run / CONTRACT_FILE, contract.to_json())
    return (*written, run / CONTRACT_FILE)


def evidence(document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what the contract tells of a measurement: names to numbers, or value, low, high."""
    after = document["calibration"]["torch"]["temperature"]
    figures = {
        "images": float(document["images"]),
        "calibration_error": after["ece"],
        "adaptive_calibration_error": after["adaptive_ece"],
        "brier": after["brier"],
        "negative_log_likelihood": after["nll"],
    }
    for kind, row in document["unknown"]["pictures"].items():
        figures[f"unknown_auroc {kind}"] = row["auroc"]
    for code, row in document["unknown"]["held_out"].items():
        figures[f"unknown_auroc held out {code}"] = row["chosen"]["auroc"]
    for name, value in document["withheld"].get("melanoma", {}).items():
        figures[f"melanoma {name}"] = value
    return {
        name: list(_three(value)) if isinstance(value, dict) else value
        for name, value in figures.items()
        if not isinstance(value, dict) or value["value"] is not None
    }


def _three(found: Mapping[str, Any]) -> tuple[float, ...]:
    return tuple(float(found[key]) for key in ("value", "low", "high"))
