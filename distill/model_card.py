"""MODEL_CARD.md: what a released model is for, what it was measured on, and where it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from distill.recipes import Recipe
from distill.subgroups import worst
from runtimes.contract import Contract

CARD_FILE = "MODEL_CARD.md"
WEAK_WARNING = (
    "- A picture of another kind than its training images, or another disease, still gets one of "
    "its answers; `unknown` is a weak warning."
)
BIASED_ERROR = (
    "A calibration error grows when images are resampled, since resampled bins differ more from "
    "their means: its interval may lie above the value beside it. The value is the figure; the "
    "interval tells how much it varies, not where the true one lies."
)
_WEAK_SENSITIVITY = 0.5
_ISIC_SOURCES = {"HAM10000", "BCN_20000", "MSK"}
_SCALARS = (
    ("accuracy", "accuracy"),
    ("balanced accuracy", "balanced_accuracy"),
    ("mean average precision", "mean_average_precision"),
    ("macro AUC", "macro_auc"),
    ("expected calibration error, 15 bins", "calibration_error"),
)
_SPLITS = {
    "lesion": "by lesion: all images of a lesion, and exact duplicates, stand on one side",
    "paper": "by image, as the paper did: images of one lesion stand on several sides",
}


def model_card(contract: Contract, about: Mapping[str, Any], recipe: Recipe) -> str:
    """Returns the card as Markdown; every figure in it is from `about`.

    Args:
        contract: of the released model.
        about: its metrics.json, with subgroups and the fixed sample.
        recipe: how it was trained.
    """
    sections = (
        _title(contract, about, recipe),
        _figures(contract, about),
        _classes(contract, about),
        _subgroups(about["subgroups"]),
        _failures(about),
        _data(contract, about),
        _reproduce(contract, about),
    )
    return "\n\n".join(sections) + "\n"


def _title(contract: Contract, about: Mapping[str, Any], recipe: Recipe) -> str:
    teacher = about["pair"]["teacher"] if recipe.method.needs_teacher else "no teacher"
    synthetic = "\n\n**Trained on synthetic images: it knows nothing about skin.**"
    return (
        f"# {contract.name}\n\n"
        f"**{contract.intended_use}**\n\n"
        f"{contract.training.student} for {len(contract.labels)} diagnoses of dermoscopy images "
        f"({', '.join(f'{label.code} {label.name}' for label in contract.labels)}), trained with "
        f"`{recipe.method.name}` ({teacher}) under the budget `{recipe.budget.name}`: "
        f"{about['training']['steps']:,} steps, {about['training']['seconds'] / 60:.0f} minutes on "
        f"a {about['training']['device']}. It takes {contract.preprocessing.size} px images that "
        f"were first reduced to {contract.preprocessing.effective_resolution} px."
        + (synthetic if about["synthetic"] else "")
    )


def _figures(contract: Contract, about: Mapping[str, Any]) -> str:
    metrics = about["metrics"]
    rows = [f"| {name} | {_interval(metrics[key])} |" for name, key in _SCALARS]
    protocol = about["split"]["protocol"]
    return "\n".join(
        (
            "## Measured",
            "",
            f"{metrics['images']:,} test images of {metrics['lesions']:,} lesions, split "
            f"{_SPLITS.get(protocol, protocol)} (seed in split.json). Intervals: 95 %, bootstrap "
            f"over lesions. One training run, seed {about['seed']}.",
            "",
            "| metric | value |",
            "|---|---|",
            *rows,
            "",
            BIASED_ERROR,
            "",
            f"Temperature of the softmax: {contract.calibration.temperature:.3f}, fitted on the "
            "validation side.",
        )
    )


def _classes(contract: Contract, about: Mapping[str, Any]) -> str:
    names = {label.code: label.name for label in contract.labels}
    lines = [
        "## By class",
        "",
        "| class | test images | sensitivity | specificity | AUC |",
        "|---|---|---|---|---|",
    ]
    for code, found in about["metrics"]["per_class"].items():
        cells = [_interval(found[key]) for key in ("sensitivity", "specificity", "auc")]
        lines.append(f"| {code} {names[code]} | {found['images']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _subgroups(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "## By age, sex, body site and source",
        "",
        "Groups have other mixtures of diagnoses, so accuracies are not to be ranked between them. "
        "Groups of fewer than 30 images are only counted.",
        "",
        "| | group | images | accuracy | balanced accuracy (classes) | melanoma sensitivity "
        "(melanomas) |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["by"], row["group"], str(row["images"])]
        if "accuracy" in row:
            cells += [
                _interval(row["accuracy"]),
                f"{_interval(row['balanced_accuracy'])} ({row['classes']})",
            ]
            found = row.get("melanoma_sensitivity")
            cells.append("–" if found is None else f"{_interval(found)} ({row['melanomas']})")
        else:
            cells += ["–", "–", "–"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _failures(about: Mapping[str, Any]) -> str:
    found = about["metrics"]["per_class"]
    weak = [
        f"{code} ({each['sensitivity']['value']:.2f})"
        for code, each in found.items()
        if each["sensitivity"]["value"] is not None
        and each["sensitivity"]["value"] < _WEAK_SENSITIVITY
    ]
    lines = ["## Known failures", ""]
    if weak:
        lines.append(f"- It misses more than half of these diagnoses: {', '.join(weak)}.")
    if "MEL" in found:
        missed = 1 - found["MEL"]["sensitivity"]["value"]
        lines.append(f"- Its first answer misses {100 * missed:.0f} % of the melanomas.")
    low = worst(about["subgroups"], "melanoma_sensitivity")
    if low is not None:
        lines.append(
            "- Of the known groups, its melanoma sensitivity is lowest for "
            f"{low['by']} {low['group']}: "
            f"{_interval(low['melanoma_sensitivity'])} of {low['melanomas']} melanomas."
        )
    lines.append(WEAK_WARNING)
    if _is_isic_2019(about):
        lines.append(
            "- Skin colour is not recorded in its data, whose patients are from Austria, Spain, "
            "Australia and the United States: how it does on dark skin cannot be told."
        )
    return "\n".join(lines)


def _data(contract: Contract, about: Mapping[str, Any]) -> str:
    counts = about["training"]["class_counts"]
    return "\n".join(
        (
            "## Data and licence",
            "",
            f"Training images: {about['training']['images']:,} ("
            + ", ".join(f"{code} {count:,}" for code, count in counts.items())
            + f"), seen at {about['cache_size']} px. Initial weights: {about['initial_weights']}.",
            f"{_origin(about)} No image is part of this release; split.json names them.",
            f"Licence of the weights: {contract.license}.",
        )
    )


def _is_isic_2019(about: Mapping[str, Any]) -> bool:
    sources = {row["group"] for row in about["subgroups"] if row["by"] == "source"}
    return bool(sources) and sources <= _ISIC_SOURCES


def _origin(about: Mapping[str, Any]) -> str:
    if about["synthetic"]:
        return "The images are synthetic, drawn by code, and show no patient."
    if _is_isic_2019(about):
        return (
            "ISIC 2019 (HAM10000, BCN_20000, MSK; CC BY-NC 4.0): Tschandl et al. 2018, Combalia et "
            "al. 2019, Codella et al. 2018."
        )
    return "Where the images come from, and their licence, is not recorded: ask who released it."


def _reproduce(contract: Contract, about: Mapping[str, Any]) -> str:
    sample = about["fixed_sample"]
    return "\n".join(
        (
            "## Check it",
            "",
            f"On the {len(sample['images'])} test images that metrics.json names under "
            f"`fixed_sample`: accuracy {sample['accuracy']:.3f}, balanced accuracy "
            f"{sample['balanced_accuracy']:.3f}.",
            "",
            "```sh",
            f"python -m distill evaluate models/{contract.name} --data DATA",
            f"python -m export run models/{contract.name} --data DATA",
            "```",
            "",
            "A file that answers too differently from torch is not delivered; docs/int8.md says "
            "what then helps.",
        )
    )


def _interval(estimate: Mapping[str, float | None]) -> str:
    value, low, high = (estimate[key] for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return "–"
    return f"{value:.3f} ({low:.3f} to {high:.3f})"
