"""How a classifier does on parts of the test side: by age, sex, body site and source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from distill.dataset import Dataset
from distill.index import Record
from distill.metrics import evaluate

_REPLICATES = 500
_SMALLEST_GROUP = 30
_AGES = ((0, 30), (30, 50), (50, 70), (70, 200))


def subgroups(probabilities: np.ndarray, dataset: Dataset) -> list[dict[str, Any]]:
    """Figures by age, sex, body site and source on the test side, with intervals over lesions.

    Groups of fewer than 30 images are counted and not measured. Balanced accuracy is over the
    classes that the group has, so groups with other classes are not ranked by it.
    """
    target, groups = dataset.labels("test"), dataset.groups("test")
    classes = dataset.index.classes
    melanoma = classes.index("MEL") if "MEL" in classes else None
    rows: list[dict[str, Any]] = []
    for kind, value, chosen in members(dataset):
        row: dict[str, Any] = {"by": kind, "group": value, "images": int(chosen.sum())}
        if melanoma is not None:
            row["melanomas"] = int((target[chosen] == melanoma).sum())
        if chosen.sum() >= _SMALLEST_GROUP:
            found = evaluate(
                probabilities[chosen],
                target[chosen],
                [group for group, taken in zip(groups, chosen, strict=True) if taken],
                classes,
                replicates=_REPLICATES,
            )
            row["classes"] = sum(each.images > 0 for each in found.per_class.values())
            row["accuracy"] = dict(vars(found.accuracy))
            row["balanced_accuracy"] = dict(vars(found.balanced_accuracy))
            if melanoma is not None:
                row["melanoma_sensitivity"] = dict(vars(found.per_class["MEL"].sensitivity))
        rows.append(row)
    return rows


def members(dataset: Dataset) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yields kind, value and images, bool (N,), of each group of the test side."""
    records = {record.image: record for record in dataset.index.records}
    own = [records[image] for image in dataset.ids("test")]
    for kind, value_of in _KINDS.items():
        values = [value_of(record) for record in own]
        for value in sorted(set(values)):
            yield kind, value, np.array([found == value for found in values])


def _age(record: Record) -> str:
    if record.age is None:
        return "unknown"
    low, high = next(pair for pair in _AGES if pair[0] <= record.age < pair[1])
    return f"{low} and over" if high == _AGES[-1][1] else f"{low} to {high - 1}"


_KINDS: dict[str, Callable[[Record], str]] = {
    "age": _age,
    "sex": lambda record: record.sex or "unknown",
    "body site": lambda record: record.site or "unknown",
    "source": lambda record: record.source or "unknown",
}


def worst(rows: Sequence[dict[str, Any]], key: str) -> dict[str, Any] | None:
    """The measured subgroup with the lowest value of a metric, of those that have one."""
    known = [row for row in rows if row.get(key) and row[key]["value"] is not None]
    known = [row for row in known if row["group"] != "unknown"]
    return min(known, key=lambda row: row[key]["value"]) if known else None
