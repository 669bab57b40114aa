"""What was measured, as tables with what they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.trust.claims import NOTHING
from distill.model_card import BIASED_ERROR

_CALIBRATION = ("ece", "adaptive_ece", "brier", "nll")
_WHERE = ("energy", "pointing", "iou", "agreement")
_SAME_AUROC = 0.01


def interval(found: Mapping[str, float | None] | None, digits: int = 3) -> str:
    """A figure with its 95 % interval."""
    if found is None or found["value"] is None:
        return "–"
    value, low, high = (found[key] for key in ("value", "low", "high"))
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def calibration_table(document: Mapping[str, Any]) -> str:
    """ECE, adaptive ECE, Brier score and likelihood, in torch and of every file."""
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
        f"Vector scaling {'lowers' if gain > 0 else 'raises'} the negative log-likelihood by "
        f"{abs(gain):.4f} nats beside the temperature, and changes "
        f"{100 * (1 - found['vector_same_diagnosis']):.1f} % of the first diagnoses; the files "
        "carry the temperature, which changes none."
    )
    head = "| | ECE, 15 bins | adaptive ECE | Brier score | likelihood, nats |"
    return "\n".join(
        (
            f"## Calibration\n\nT = {found['temperature']:.3f}, fitted on validation images.\n",
            head,
            "|---|---|---|---|---|",
            *body,
            "",
            BIASED_ERROR,
            "",
            verdict,
        )
    )


def unknown_table(document: Mapping[str, Any]) -> str:
    """Detection of what should not be answered, goals, and what happens to melanomas."""
    unknown = document["unknown"]
    rows = []
    for kind, row in unknown["pictures"].items():
        figures = " | ".join(interval(row[key]) for key in ("auroc", "aupr", "fpr95"))
        rows.append(
            f"| {kind} | {row['unknown']} | {figures} | {100 * row['called_unknown']:.1f} | "
            f"{auroc_of_max_logit(unknown, kind)} |"
        )
    for code, own in unknown["held_out"].items():
        row = own["chosen"]
        figures = " | ".join(interval(row[key]) for key in ("auroc", "aupr", "fpr95"))
        rows.append(
            f"| {code}, held out | {row['unknown']} | {figures} | "
            f"{100 * row['called_unknown']:.1f} | {interval(own['max_logit']['auroc'])} |"
        )
    goals = [
        f"- {goal['goal']}: {met(goal['met'])} ({number(goal['reached'])})."
        for goal in unknown["goals"]
    ]
    files = _file_unknown(document)
    known = 100 * (1 - unknown["accepted_on_test"])
    intro = (
        f'Score: {unknown["score"]}. Above {unknown["threshold"]:.4f} the answer is "unknown"; '
        f"{100 * (1 - unknown['accepted_share']):.0f} % of the validation images are above it, "
        f"{known:.1f} % of the test images."
    )
    if unknown["held_out"]:
        intro += (
            " A held-out class is judged by a student of its own, trained on fewer images and "
            "without a teacher, that never saw the class: not by the released one."
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
    """How far each file's AUROC is from torch's at most, over all kinds of pictures."""
    found = []
    own = document["unknown"]["pictures"]
    for file in document["files"]:
        if not document["adopted"]:
            found.append(f"- {file['format']}: its score is not the one fitted here; not compared.")
            continue
        gaps = {
            kind: row["auroc"]["value"] - own[kind]["auroc"]["value"]
            for kind, row in file["unknown"].items()
            if kind in own
        }
        kind = max(gaps, key=lambda each: abs(gaps[each]))
        within = "within" if abs(gaps[kind]) <= _SAME_AUROC else "not within"
        found.append(
            f"- {file['format']}: AUROC at most {gaps[kind]:+.4f} from torch ({kind}), "
            f"{within} {_SAME_AUROC}."
        )
    return found


def points_table(document: Mapping[str, Any]) -> str:
    """Operating points; empty where the data set has no melanoma."""
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


def where_table(document: Mapping[str, Any]) -> str:
    """Attention beside lesion masks, artefacts and claims; empty without masks."""
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
                f"{interval(each['drawn'])} | {interval(each['same_diagnosis'])} |"
            )
    blind = [
        f"{name}: {row['without_map']}"
        for name, row in where["networks"].items()
        if row["without_map"]
    ]
    area = interval(where["lesion_share"]["area"])
    parts = [
        f"## Where it looked\n\n{where['images']} test images with lesion masks; the lesion is "
        f"{area} of the frame. The map is that of the class that the network names, enlarged, "
        "without its negative part; IoU is at the share of its maximum that is best on validation "
        "images.\n",
        "| network | energy in lesion | pointing game | IoU | agreement with teacher |",
        "|---|---|---|---|---|",
        *rows,
        "",
        "What an artefact costs (clean minus pasted), the map's energy on its pixels beyond their "
        "area, and how much of the map moves there when it is pasted:\n",
        "| network | artefact | energy | pointing | IoU | agreement | beyond area | drawn there | "
        "same diagnosis |",
        "|---|---|---|---|---|---|---|---|---|",
        *losses,
    ]
    parts += ["", *networks_list(where["networks"])]
    if blind:
        parts += ["", f"Images whose map is nowhere positive, not counted: {', '.join(blind)}."]
    if where["claims"]:
        parts += ["", *_claims(where["claims"])]
    return "\n".join(parts)


def networks_list(networks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """How each network was trained, for one of another budget differs by that too."""
    told = []
    for name, row in networks.items():
        if about := row.get("about"):  # older documents have none
            images = about["training_images"]
            told.append(
                f"- {name}: {about['architecture']} at {about['size']} px, budget "
                f"{about['budget'] or 'not recorded'}"
                + (f", {images:,} training images" if images else "")
                + f", balanced accuracy {interval(about['balanced_accuracy'])}."
            )
    return ["The networks, by the figures of their own training:\n", *told] if told else []


def _claims(claims: Sequence[Mapping[str, str]]) -> list[str]:
    return [
        "| claim | answer | evidence |",
        "|---|---|---|",
        *(f"| {c['claim']} | **{c['answer']}** | {c['evidence']} |" for c in claims),
        "",
        "A comparison is answered yes where its interval lies above 0, no where it lies below. "
        f"Artefacts are not looked at (yes) where each interval ends at or below {100 * NOTHING:g} "
        "point of the map; they are (no) where one lies above that.",
    ]


def groups_table(document: Mapping[str, Any]) -> str:
    """Age, sex, body site and source; empty where only part of the images was asked."""
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


def changes_table(document: Mapping[str, Any]) -> str:
    """What changes of the picture do to the answers."""
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


def trials_table(document: Mapping[str, Any]) -> str:
    """What each candidate reached on the images to choose by."""
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
            "AUROC on validation images and pictures to choose by. Of the scores within 0.005 of "
            "the best, the one of the smallest rank is taken: it makes the smallest files.\n",
            "| score | " + " | ".join(heads) + " | value |",
            "|---" * (len(heads) + 2) + "|",
            *rows,
        )
    )


def auroc_of_max_logit(unknown: Mapping[str, Any], kind: str) -> str:
    """AUROC of minus the largest logit on one kind of picture."""
    return interval(unknown["max_logit"][kind]["auroc"])


def met(value: bool | None) -> str:
    """Whether a goal was reached."""
    return "not measured" if value is None else "met" if value else "missed"


def number(value: float | None) -> str:
    """A figure without an interval."""
    return "–" if value is None else f"{value:.3f}"
