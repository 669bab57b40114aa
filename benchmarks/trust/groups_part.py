"""Groups of patients, and changes of the picture: where the answers hold, and where worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.bootstrap import mean_of, share_of, with_interval
from benchmarks.trust.ask import UNCHANGED
from benchmarks.trust.kept import Arrays
from distill.dataset import Dataset
from distill.subgroups import members, subgroups

_FEWEST_MELANOMAS = 20
_FEWEST_IMAGES = 30


def measure_groups(
    dataset: Dataset,
    probabilities: np.ndarray,
    accepted: np.ndarray,
    alert: float | None,
) -> dict[str, Any]:
    """Measures the whole test side by age, sex, body site and source, and names the worst.

    Accuracies of groups with other mixtures of diagnoses are not to be ranked; the worst group is
    that with the lowest sensitivity for melanoma at the operating point, of those with 20 or more.

    Args:
        dataset: whose test side was answered.
        probabilities: of all its test images, (N, K).
        accepted: bool (N,), those that are not called unknown.
        alert: probability of melanoma from which on it is suspected; None for the first diagnosis.
    """
    rows = subgroups(probabilities, dataset)
    groups, target = dataset.groups("test"), dataset.labels("test")
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == target
    classes = dataset.index.classes
    column = classes.index("MEL") if "MEL" in classes else None
    chosen = {(kind, value): place for kind, value, place in members(dataset)}
    for row in rows:
        own = chosen[(row["by"], row["group"])]
        if own.sum() < _FEWEST_IMAGES:
            continue
        row["overconfidence"] = dict(
            vars(with_interval(mean_of(np.where(own, confidence - right, np.nan)), groups))
        )
        row["called_unknown"] = float((~accepted[own]).mean())
        if column is not None and alert is not None:
            called = probabilities[:, column] >= alert
            melanoma = target == column
            row["alert_sensitivity"] = dict(
                vars(with_interval(share_of(called, own & melanoma), groups))
            )
            row["alert_specificity"] = dict(
                vars(with_interval(share_of(~called, own & ~melanoma), groups))
            )
    return {"rows": rows, "worst": _worst_group(rows)}


def _worst_group(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    known = [
        row
        for row in rows
        if row["group"] != "unknown"
        and row.get("melanomas", 0) >= _FEWEST_MELANOMAS
        and row.get("alert_sensitivity", {}).get("value") is not None
    ]
    if not known:
        return None
    low = min(known, key=lambda row: row["alert_sensitivity"]["value"])
    keys = ("by", "group", "images", "melanomas", "alert_sensitivity", "alert_specificity")
    return {key: low[key] for key in keys}


def measure_changes(
    answers: Mapping[str, Mapping[str, Arrays]], target: np.ndarray, groups: Sequence[str]
) -> dict[str, Any]:
    """Measures what changes of the picture do to the answers of torch and of files.

    Args:
        answers: format to name of the change to its answers.
        target: classes of the images, (N,).
        groups: their lesions.
    """
    found: dict[str, Any] = {"images": len(target), "formats": {}, "worst": {}}
    for key, changes in answers.items():
        before = changes[UNCHANGED]["probabilities"]
        rows = {
            name: _change(before, each["probabilities"], target, groups)
            for name, each in changes.items()
            if name != UNCHANGED
        }
        right = (before.argmax(axis=1) == target).astype(float)
        found["formats"][key] = {
            "accuracy": dict(vars(with_interval(mean_of(right), groups))),
            "changes": rows,
        }
        worst = min(rows, key=lambda name: rows[name]["same_diagnosis"]["value"])
        found["worst"][key] = {"change": worst, **rows[worst]}
    return found


def _change(
    before: np.ndarray, after: np.ndarray, target: np.ndarray, groups: Sequence[str]
) -> dict[str, Any]:
    same = (before.argmax(axis=1) == after.argmax(axis=1)).astype(float)
    right = [(each.argmax(axis=1) == target).astype(float) for each in (before, after)]
    figures = {
        "same_diagnosis": same,
        "accuracy_change": right[1] - right[0],
        "mean_difference": np.abs(after - before).mean(axis=1),
    }
    return {
        name: dict(vars(with_interval(mean_of(np.asarray(values, float)), groups)))
        for name, values in figures.items()
    }
