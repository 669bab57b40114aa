"""What was measured, in words and tables: for the terminal, results/trust and the model card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_COMMAND = "python -m benchmarks trust RUN --artifacts ARTIFACTS --leave-out LEAVE_OUT --data DATA"


def lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Yields the main figures, for a terminal."""
    ways = document["calibration"]["torch"]
    yield (
        f"calibration: T {document['calibration']['temperature']:.3f}, ECE "
        f"{interval(ways['before']['ece'])} before, {interval(ways['temperature']['ece'])} after"
    )
    unknown = document["unknown"]
    yield f"unknown: {unknown['score']}, threshold {unknown['threshold']:.4f}"
    for kind, row in unknown["pictures"].items():
        yield f"  {kind}: AUROC {interval(row['auroc'])}, max logit {_before(unknown, kind)}"
    for code, row in unknown["held_out"].items():
        yield f"  held out {code}: AUROC {interval(row['chosen']['auroc'])}"
    for goal in unknown["goals"]:
        yield f"  goal {goal['goal']}: {_met(goal['met'])} ({_number(goal['reached'])})"
    for point in document["operating_points"]:
        yield _point(point)
    for claim in (document["where"] or {}).get("claims", []):
        yield f"{claim['claim']}: {claim['answer']} ({claim['evidence']})"
    for text_ in document["missing"]:
        yield f"not measured: {text_}"


def text(document: Mapping[str, Any]) -> str:
    """Returns README.md of the results."""
    title = f"# Can {document['name']} be trusted?"
    about = (
        f"{document['images']:,} test images of {document['lesions']:,} lesions; intervals are "
        "95 %, over resampled lesions. Everything that was chosen or fitted was chosen on the "
        "validation side, or on pictures that are not reported. `trust.json` holds all figures."
    )
    if document["synthetic"]:
        about += "\n\n**The images are synthetic: the figures say nothing about skin.**"
    parts = [title, about, f"```sh\n{_COMMAND}\n```"]
    parts += [part for draw in _SECTIONS if (part := draw(document))]
    return "\n\n".join(parts) + "\n"


def card_section(document: Mapping[str, Any]) -> str:
    """Returns the section of the model card, without a heading of the first order."""
    parts = ["## Can it be trusted?"]
    drawn = (_calibration_table, _unknown_table, _points_table, _where_table, _worst)
    parts += [
        part.replace("\n## ", "\n### ").replace("## ", "### ", 1)
        for draw in drawn
        if (part := draw(document))
    ]
    return "\n\n".join(parts)


def interval(found: Mapping[str, float | None] | None, digits: int = 3) -> str:
    """A figure with its 95 % interval."""
    if found is None or found["value"] is None:
        return "–"
    value, low, high = (found[key] for key in ("value", "low", "high"))
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _calibration_table(document: Mapping[str, Any]) -> str:
    found = document["calibration"]
    rows = [("torch, before", found["torch"]["before"])]
    rows += [("torch, temperature", found["torch"]["temperature"])]
    rows += [("torch, vector scaling", found["torch"]["vector"])]
    for file in document["files"]:
        rows.append((f"{file['format']}, before", file["calibration"]["before"]))
        rows.append((f"{file['format']}, temperature", file["calibration"]["temperature"]))
    body = [
        f"| {name} | " + " | ".join(interval(row[k]) for k in _CALIBRATION) + " |"
        for name, row in rows
    ]
    gain = found["vector_gain_nll"]
    verdict = (
        f"Vector scaling lowers the negative log-likelihood by {gain:.4f} nats beside the "
        f"temperature, but changes {100 * (1 - found['vector_same_diagnosis']):.1f} % of the first "
        "diagnoses; the files carry the temperature, which changes none."
    )
    head = "| | ECE, 15 bins | adaptive ECE | Brier score | likelihood, nats |"
    return "\n".join(
        (
            f"## Calibration\n\nT = {found['temperature']:.3f}, fitted on validation images.\n",
            head,
            "|---|---|---|---|---|",
            *body,
            "",
            verdict,
        )
    )


def _unknown_table(document: Mapping[str, Any]) -> str:
    unknown = document["unknown"]
    rows = []
    for kind, row in unknown["pictures"].items():
        figures = " | ".join(interval(row[key]) for key in ("auroc", "aupr", "fpr95"))
        rows.append(
            f"| {kind} | {row['unknown']} | {figures} | {100 * row['called_unknown']:.1f} | "
            f"{_before(unknown, kind)} |"
        )
    for code, own in unknown["held_out"].items():
        row = own["chosen"]
        figures = " | ".join(interval(row[key]) for key in ("auroc", "aupr", "fpr95"))
        rows.append(
            f"| {code}, held out | {row['unknown']} | {figures} | "
            f"{100 * row['called_unknown']:.1f} | {interval(own['max_logit']['auroc'])} |"
        )
    goals = [
        f"- {goal['goal']}: {_met(goal['met'])} ({_number(goal['reached'])})."
        for goal in unknown["goals"]
    ]
    files = _file_unknown(document)
    known = 100 * (1 - unknown["accepted_on_test"])
    intro = (
        f'Score: {unknown["score"]}. Above {unknown["threshold"]:.4f} the answer is "unknown"; '
        f"5 % of the validation images are above it, {known:.1f} % of the test images. A held-out "
        "class is judged by a small student of its own that never saw the class (fewer images, "
        "96 px), not by the released one."
    )
    head = (
        "| pictures | number | AUROC | AUPR | FPR at 95 % TPR | called unknown, % | "
        "AUROC of max logit |"
    )
    melanoma = document["withheld"].get("melanoma")
    told = ""
    if melanoma:
        told = (
            f"\nOf the melanomas {interval(melanoma['called_unknown'])} are answered with "
            f'"unknown"; the first diagnosis finds {interval(melanoma["without_unknown"])} '
            f"without the threshold, {interval(melanoma['found_and_accepted'])} with it (unknown "
            f"counted as not found), {interval(melanoma['among_accepted'])} of those accepted."
        )
    area, best = (document["withheld"][key]["area"] for key in ("risk_coverage", "by_confidence"))
    risk = (
        f"\nArea under risk and coverage: {interval(area)} by the unknown score, {interval(best)} "
        "by the largest probability (less is better)."
    )
    return "\n".join(
        (
            f"## Unknown\n\n{intro}\n",
            head,
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            *goals,
            *files,
            told,
            risk,
        )
    )


def _file_unknown(document: Mapping[str, Any]) -> list[str]:
    """How far each file's AUROC is from torch's, for pictures that are no dermoscopy."""
    kind, found = "no dermoscopy", []
    own = document["unknown"]["pictures"].get(kind)
    for file in document["files"]:
        row = file["unknown"].get(kind)
        if own and row and row["auroc"]["value"] is not None:
            gap = row["auroc"]["value"] - own["auroc"]["value"]
            met = "within" if abs(gap) <= 0.01 else "not within"
            found.append(f"- {file['format']}: AUROC {gap:+.4f} from torch, {met} 0.01.")
    return found


def _points_table(document: Mapping[str, Any]) -> str:
    points = document["operating_points"]
    if not points:
        return ""
    rows = [
        f"| {100 * p['aim']:.0f} % | {p['threshold']:.4f} | {interval(p['sensitivity'])} | "
        f"{interval(p['specificity'])} | {100 * p['called']:.1f} |"
        for p in points
    ]
    head = "| sensitivity on validation | threshold | sensitivity | specificity | suspected, % |"
    return "\n".join(
        (
            f"## Operating points for {points[0]['code']}\n\nThresholds of its probability, found "
            "on validation images, measured on test images.\n",
            head,
            "|---|---|---|---|---|",
            *rows,
        )
    )


def _where_table(document: Mapping[str, Any]) -> str:
    where = document["where"]
    if where is None:
        return ""
    rows = []
    for name, row in (*where["networks"].items(), *where["baselines"].items()):
        found = row.get("clean", row)
        label = (
            name
            if "clean" in row
            else f"a map that is {name}"
            if name == "even"
            else "a map of the middle"
        )
        cells = " | ".join(interval(found.get(key)) for key in _WHERE)
        rows.append(f"| {label} | {cells} |")
    losses = []
    for name, row in where["networks"].items():
        for artefact, each in row["artefacts"].items():
            cells = " | ".join(interval(each["loss"][key]) for key in _WHERE)
            losses.append(
                f"| {name} | {artefact} | {cells} | {interval(each['excess'])} | "
                f"{interval(each['same_diagnosis'])} |"
            )
    claims = [f"| {c['claim']} | **{c['answer']}** | {c['evidence']} |" for c in where["claims"]]
    area = interval(where["lesion_share"]["area"])
    return "\n".join(
        (
            f"## Where it looked\n\n{where['images']} test images with lesion masks; the lesion is "
            f"{area} of the frame.\n",
            "| network | energy in lesion | pointing game | IoU | agreement with teacher |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "What an artefact costs (clean minus pasted), and the map's energy on it beyond its "
            "area:\n",
            "| network | artefact | energy | pointing | IoU | agreement | energy on it | same "
            "diagnosis |",
            "|---|---|---|---|---|---|---|---|",
            *losses,
            "",
            "| claim | answer | evidence |",
            "|---|---|---|",
            *claims,
        )
    )


def _worst(document: Mapping[str, Any]) -> str:
    parts = []
    worst = (document.get("groups") or {}).get("worst")
    if worst:
        parts.append(
            f"- Worst group: {worst['by']} {worst['group']}, where the operating point finds "
            f"{interval(worst['alert_sensitivity'])} of {worst['melanomas']} melanomas."
        )
    parts += _worst_others(document)
    for key, row in document["changes"]["worst"].items():
        parts.append(
            f"- Worst change of the picture, {key}: {row['change']}, after which "
            f"{interval(row['same_diagnosis'])} of the first diagnoses are the same (accuracy "
            f"{interval(row['accuracy_change'])})."
        )
    return "## Worst cases\n\n" + "\n".join(parts)


def _worst_others(document: Mapping[str, Any]) -> list[str]:
    """The group that is suspected without need most often, and the one that is most unknown."""
    rows = [
        row
        for row in (document.get("groups") or {}).get("rows", [])
        if row["group"] != "unknown" and (row.get("alert_specificity") or {}).get("value")
    ]
    if not rows:
        return []
    low = min(rows, key=lambda row: row["alert_specificity"]["value"])
    shy = max(rows, key=lambda row: row["called_unknown"])
    return [
        f"- Lowest specificity of the operating point: {low['by']} {low['group']}, "
        f"{interval(low['alert_specificity'])} of {low['images']} images.",
        f'- Most often answered with "unknown": {shy["by"]} {shy["group"]}, '
        f"{100 * shy['called_unknown']:.1f} % of {shy['images']} images.",
    ]


def _groups_table(document: Mapping[str, Any]) -> str:
    groups = document.get("groups")
    if not groups:
        return ""
    rows = []
    for row in groups["rows"]:
        if "accuracy" in row:
            keys = ("accuracy", "overconfidence", "alert_sensitivity", "alert_specificity")
            cells = " | ".join(interval(row.get(key)) for key in keys)
            rows.append(
                f"| {row['by']} | {row['group']} | {row['images']} | {cells} | "
                f"{100 * row['called_unknown']:.1f} |"
            )
    head = (
        "| | group | images | accuracy | confidence − accuracy | MEL sensitivity | "
        "MEL specificity | unknown, % |"
    )
    return "\n".join(
        (
            "## Groups\n\nMelanoma at the operating point of 90 %.\n",
            head,
            "|---|---|---|---|---|---|---|---|",
            *rows,
        )
    )


def _changes_table(document: Mapping[str, Any]) -> str:
    rows = []
    for key, found in document["changes"]["formats"].items():
        for name, row in found["changes"].items():
            rows.append(
                f"| {key} | {name} | {interval(row['same_diagnosis'])} | "
                f"{interval(row['accuracy_change'])} | {interval(row['mean_difference'])} |"
            )
    head = "| format | change | same first diagnosis | accuracy | mean Δ probability |"
    return "\n".join(
        (
            f"## Changes of the picture\n\n{document['changes']['images']} test images. An image "
            "that is a JPEG already does not change at its own quality.\n",
            head,
            "|---|---|---|---|---|",
            *rows,
        )
    )


def _trials_table(document: Mapping[str, Any]) -> str:
    trials = document["unknown"]["trials"]
    kinds, codes = list(trials[0]["pictures"]), list(trials[0]["held_out"])
    rows = []
    for each in trials:
        cells = [f"{each['pictures'][kind]:.3f}" for kind in kinds]
        cells += [f"{each['held_out'][code]:.3f}" for code in codes]
        name = f"**{each['name']}**" if each["chosen"] else each["name"]
        rows.append(f"| {name} | " + " | ".join(cells) + f" | {each['value']:.3f} |")
    heads = [*kinds, *(f"{code} held out" for code in codes)]
    return "\n".join(
        (
            "## How the score was chosen\n\n"
            "AUROC on validation images and pictures to choose by.\n",
            "| score | " + " | ".join(heads) + " | value |",
            "|---" * (len(heads) + 2) + "|",
            *rows,
        )
    )


def _missing(document: Mapping[str, Any]) -> str:
    if not document["missing"]:
        return ""
    return "## Not measured\n\n" + "\n".join(f"- {each}" for each in document["missing"])


def _point(point: Mapping[str, Any]) -> str:
    return (
        f"{point['code']} at {100 * point['aim']:.0f} % (threshold {point['threshold']:.4f}): "
        f"sensitivity {interval(point['sensitivity'])}, specificity "
        f"{interval(point['specificity'])}"
    )


def _before(unknown: Mapping[str, Any], kind: str) -> str:
    return interval(unknown["max_logit"][kind]["auroc"])


def _met(value: bool | None) -> str:
    return "not measured" if value is None else "met" if value else "missed"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


_CALIBRATION = ("ece", "adaptive_ece", "brier", "nll")
_WHERE = ("energy", "pointing", "iou", "agreement")
_SECTIONS = (
    _calibration_table,
    _unknown_table,
    _trials_table,
    _points_table,
    _where_table,
    _worst,
    _groups_table,
    _changes_table,
    _missing,
)
