"""Where the answers hold least: the worst group and the worst change of the picture, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.trust.tables import interval


def worst_cases(document: Mapping[str, Any]) -> str:
    """Groups by melanomas found, by specificity and by what is called unknown; changes."""
    parts = []
    worst = (document.get("groups") or {}).get("worst")
    if worst:
        parts.append(
            f"- Worst group: {worst['by']} {worst['group']}, where the operating point finds "
            f"{interval(worst['alert_sensitivity'])} of {worst['melanomas']} melanomas."
        )
    parts += _other_groups(document)
    for key, row in document["changes"]["worst"].items():
        parts.append(
            f"- Worst change of the picture, {key}: {row['change']}, after which "
            f"{interval(row['same_diagnosis'])} of the first diagnoses are the same (accuracy "
            f"{interval(row['accuracy_change'])})."
        )
    return "## Worst cases\n\n" + "\n".join(parts)


def _other_groups(document: Mapping[str, Any]) -> list[str]:
    """The group that is suspected without need most often, and the one that is most unknown."""
    rows = [
        row
        for row in (document.get("groups") or {}).get("rows", [])
        if row["group"] != "unknown" and "called_unknown" in row
    ]
    told = [row for row in rows if _value(row, "alert_specificity") is not None]
    parts = []
    if told:
        low = min(told, key=lambda row: row["alert_specificity"]["value"])
        parts.append(
            f"- Lowest specificity of the operating point: {low['by']} {low['group']}, "
            f"{interval(low['alert_specificity'])} of {low['images'] - low['melanomas']} images "
            "without melanoma."
        )
    if rows:
        shy = max(rows, key=lambda row: row["called_unknown"])
        parts.append(
            f'- Most often answered with "unknown": {shy["by"]} {shy["group"]}, '
            f"{100 * shy['called_unknown']:.1f} % of {shy['images']} images."
        )
    return parts


def _value(row: Mapping[str, Any], key: str) -> float | None:
    found = row.get(key)
    return None if found is None else found["value"]
