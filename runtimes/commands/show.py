"""Print a model file's contract: labels, preprocessing, calibration, training.

    python -m runtimes show artifacts/NAME/NAME-int8.tflite
    python -m runtimes show runs/NAME
    python -m runtimes show NAME-fp32.onnx --json > contract.json

MODEL is a .tflite, .onnx, .mlpackage or run folder. The network is not run, so this works without
its runtime.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runtimes.arguments import path
from runtimes.console import say, table
from runtimes.contract_decision import DECISION_RULE, UNKNOWN_SCORES

if TYPE_CHECKING:
    from runtimes.contract import Contract


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of the verb."""
    parser.add_argument(
        "model", metavar="MODEL", type=path, help=".tflite, .onnx, .mlpackage or run folder"
    )
    parser.add_argument("--json", action="store_true", help="print the contract as JSON")


def run(args: argparse.Namespace) -> None:
    """Prints the contract."""
    from runtimes.integrity import check_unchanged
    from runtimes.metadata import read_contract

    check_unchanged(args.model)
    contract = read_contract(args.model)
    say(contract.to_json().rstrip("\n") if args.json else "\n".join(_lines(contract)))


def _lines(contract: Contract) -> Iterator[str]:
    recipe, calibration, training = (
        contract.preprocessing,
        contract.calibration,
        contract.training,
    )
    yield contract.name
    yield f"intended use: {contract.intended_use}"
    yield f"licence: {contract.license}"
    yield ""
    yield table(
        ["#", "code", "class", "sensitivity*"],
        [
            [
                position,
                label.code,
                label.name,
                _share(calibration.sensitivity.get(label.code)),
            ]
            for position, label in enumerate(contract.labels)
        ],
    )
    yield (
        f"* among the {calibration.accepted_share:.1%} of validation images with an unknown score "
        f"of at most {calibration.unknown_threshold:g}; above it the answer is 'unknown'"
    )
    yield ""
    crop = "the central square" if recipe.crop == "center-square" else "the full frame"
    turned = "after EXIF orientation" if recipe.exif_orientation else "without EXIF orientation"
    yield (
        f"preprocessing: {crop} ({turned}), {recipe.resize_filter} with antialias to "
        f"{recipe.effective_resolution}×{recipe.effective_resolution}, then to "
        f"{recipe.size}×{recipe.size}"
    )
    score = contract.decision.unknown_score if contract.decision else "max_logit"
    shape = f"N×{recipe.size}×{recipe.size}×3"
    yield f"input: image, RGB 0 to 255 as {contract.input_dtype}, channels last, {shape}"
    yield (
        f"outputs: probabilities (softmax at temperature {calibration.temperature:g}), cam (class "
        f"activation maps), unknown ({UNKNOWN_SCORES[score]})"
    )
    yield from _decision(contract)
    yield ""
    teacher = f" from {training.teacher}" if training.teacher else ""
    data = f"{training.data}{' (SYNTHETIC images)' if training.synthetic else ''}"
    yield f"training: {training.student}, {training.method}{teacher}, seed {training.seed}"
    yield (
        f"data: {data}, {training.images} training images, split by {training.split_protocol} "
        f"(sha256 {training.split_sha256[:12]}…)"
    )
    numbers = {name: value for name, value in training.metrics.items() if _is_scalar(value)}
    if numbers:
        yield ""
        rows = [[name, f"{value:.4f}"] for name, value in numbers.items()]
        yield table(["on the test split", "value"], rows)


def _decision(contract: Contract) -> Iterator[str]:
    if contract.decision is None:
        return
    yield f"decision: {DECISION_RULE}"
    for alert in contract.decision.alerts:
        sensitivity, specificity = alert.sensitivity[0], alert.specificity[0]
        used = ", in force" if alert is contract.decision.alert else ""
        yield (
            f"alert for {alert.code} at {alert.threshold:.4f} ({alert.aim:.0%} of the validation "
            f"images of it{used}): sensitivity {sensitivity:.1%}, specificity {specificity:.1%} "
            "on test images"
        )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _is_scalar(value: Any) -> bool:
    return isinstance(value, int | float)
