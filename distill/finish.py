"""What a finished student leaves behind: weights, metrics, calibration, contract and curves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from distill.calibration import accepted_sensitivity, calibrated, fit_temperature, unknown_threshold
from distill.checkpoint import STUDENT_FILE, TEACHER_FILE, save_classifier
from distill.curves import draw_curves
from distill.dataset import Dataset
from distill.inference import predict_logits
from distill.kept_logits import keep_logits
from distill.metrics import Metrics, evaluate
from distill.models import Classifier
from distill.parallel import rank_and_world
from distill.recipes import Recipe
from distill.runlog import read_log
from distill.train import Context
from runtimes.atomic import write_json, write_text
from runtimes.console import say, table
from runtimes.contract import Calibration, Contract, Label, Preprocessing, Training
from runtimes.diagnoses import ISIC_2019

_ACCEPTED_SHARE = 0.95
_SYNTHETIC_LICENSE = "Apache-2.0; trained on synthetic images drawn by code"
_DATA_LICENSE = "weights Apache-2.0; the training images keep their own licence (see `data`)"
_INTENDED_USE = (
    "Research on skin-lesion classification and its deployment. Not a medical device, not for "
    "diagnosis; its answer must not decide about any person's care."
)


@dataclass(frozen=True)
class Evaluation:
    """Logits (n, K) of validation and test side at one size, and what follows from them."""

    logits: dict[str, np.ndarray]
    temperature: float
    threshold: float
    sensitivity: dict[str, float]
    metrics: Metrics


def evaluate_classifier(model: Classifier, context: Context, size: int) -> Evaluation:
    """Fits the temperature on the validation side and measures the test side, in float32.

    Args:
        model: on the device of the context's images.
        context: data and device.
        size: edge of the network's input in pixels.
    """
    dataset = context.dataset
    logits = {
        side: predict_logits(
            model, context.images, dataset.rows(side), size, what=f"evaluating on the {side} side"
        ).numpy()
        for side in ("validation", "test")
    }
    validation, test = logits["validation"], logits["test"]
    target = dataset.labels("validation")
    temperature = fit_temperature(validation, target)
    scores = -validation.max(axis=1)
    threshold = unknown_threshold(scores, _ACCEPTED_SHARE)
    classes = dataset.index.classes
    probabilities = calibrated(validation, temperature)
    sensitivity = accepted_sensitivity(probabilities, target, scores, threshold, classes)
    metrics = evaluate(
        calibrated(test, temperature), dataset.labels("test"), dataset.groups("test"), classes
    )
    return Evaluation(logits, temperature, threshold, sensitivity, metrics)


def finish_teacher(
    model: Classifier, recipe: Recipe, context: Context, folder: Path, source: str
) -> None:
    """Writes teacher.safetensors, logits, metrics.json and curves.png into the teacher's folder."""
    size = recipe.budget.teacher.phases[-1].size
    found = evaluate_classifier(model, context, size)
    if rank_and_world()[0] != 0:
        return
    _write_metrics(folder, found, recipe, context, source, size)
    draw_curves(folder / "log.jsonl", folder / "curves.png")
    header = {"size": str(size), "split_sha256": context.dataset.split.sha256}
    save_classifier(folder / TEACHER_FILE, model, **header)  # it marks the end
    keep_logits(folder / TEACHER_FILE, context.dataset, size, found.logits)
    _report(folder, model.architecture, found, TEACHER_FILE)


def finish_student(
    model: Classifier, recipe: Recipe, context: Context, folder: Path, source: str
) -> None:
    """Writes student.safetensors, logits, contract, metrics.json and curves.png into the run."""
    size = recipe.budget.evaluation_size
    found = evaluate_classifier(model, context, size)
    if rank_and_world()[0] != 0:
        return
    contract = build_contract(recipe, context.dataset, found, folder.name)
    write_text(folder / "contract.json", contract.to_json())
    _write_metrics(folder, found, recipe, context, source, size)
    draw_curves(folder / "log.jsonl", folder / "curves.png")
    save_classifier(folder / STUDENT_FILE, model)  # it marks a finished run
    keep_logits(folder / STUDENT_FILE, context.dataset, size, found.logits)
    _report(folder, model.architecture, found, STUDENT_FILE)


def build_contract(recipe: Recipe, dataset: Dataset, found: Evaluation, name: str) -> Contract:
    """Says what a phone must know of the student: labels, preprocessing, calibration, training."""
    index = dataset.index
    metrics: dict[str, float | list[Any]] = {}
    for key, estimate in found.metrics.scalars().items():
        if estimate.value is not None:
            metrics[key] = estimate.value
            metrics[f"{key}_interval"] = [estimate.low, estimate.high]
    return Contract(
        name=name,
        labels=tuple(Label(code, ISIC_2019.get(code, code)) for code in index.classes),
        preprocessing=Preprocessing(
            exif_orientation=True,
            crop="none",
            effective_resolution=dataset.cache.size,
            size=recipe.budget.evaluation_size,
            resize_filter="bilinear",
            antialias=True,
        ),
        calibration=Calibration(
            temperature=found.temperature,
            unknown_threshold=found.threshold,
            accepted_share=_ACCEPTED_SHARE,
            sensitivity=found.sensitivity,
        ),
        training=Training(
            method=recipe.method.name,
            student=recipe.pair.student,
            teacher=recipe.pair.teacher if recipe.method.needs_teacher else None,
            data="synthetic sample drawn by code" if index.synthetic else _data_name(index.reader),
            synthetic=index.synthetic,
            images=len(dataset.rows("train")),
            split_protocol=dataset.split.protocol,
            split_sha256=dataset.split.sha256,
            seed=recipe.seed,
            metrics=metrics,
        ),
        license=_SYNTHETIC_LICENSE if index.synthetic else _DATA_LICENSE,
        intended_use=_INTENDED_USE,
    )


def _data_name(reader: str) -> str:
    return f"dermoscopy images ({reader})"


def _write_metrics(
    folder: Path, found: Evaluation, recipe: Recipe, context: Context, source: str, size: int
) -> None:
    rows = read_log(folder / "log.jsonl")
    dataset = context.dataset
    write_json(
        folder / "metrics.json",
        {
            "side": "test",
            "split": {"protocol": dataset.split.protocol, "sha256": dataset.split.sha256},
            "synthetic": dataset.index.synthetic,
            "size": size,
            "cache_size": dataset.cache.size,
            "initial_weights": source,
            "method": recipe.method.name,
            "budget": recipe.budget.name,
            "pair": {"teacher": recipe.pair.teacher, "student": recipe.pair.student},
            "seed": recipe.seed,
            "training": {
                "images": len(dataset.rows("train")),
                "class_counts": dict(
                    zip(dataset.index.classes, dataset.class_counts(), strict=True)
                ),
                "epochs": len(rows),
                "steps": rows[-1]["step"] if rows else 0,
                "seconds": rows[-1]["seconds"] if rows else 0.0,
                "device": context.images.device.type,
                "precision": str(context.precision).removeprefix("torch."),
            },
            "temperature": found.temperature,
            "metrics": found.metrics.to_json(),
            "provenance": context.provenance,
        },
    )


def _report(folder: Path, architecture: str, found: Evaluation, weights: str) -> None:
    say(table(["metric", "value (95 % interval over lesions)"], found.metrics.scalars().items()))
    say(f"{architecture}: {folder / weights}, {folder / 'metrics.json'}")
