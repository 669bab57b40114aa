"""Networks with other operations than MobileNetV2's: each format is written and compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from distill.models import Classifier, build_classifier
from export.conversions import Conversions
from export.formats import FORMATS
from export.golden import golden_images
from export.noise import quiet_converters
from export.reference import reference_session
from export.verify import verify_file
from runtimes.contract import Contract, Label
from runtimes.metadata import embed_contract

SIZE = 64


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["efficientnet_b0", "densenet121", "resnet18"])
def test_every_format_is_written_and_the_float_ones_answer_as_torch(
    architecture: str,
    enliven: Callable[[Classifier, int], Classifier],
    contract: Contract,
    tmp_path: Path,
) -> None:
    quiet_converters()
    classifier = enliven(build_classifier(architecture, 8), SIZE)
    classifier.classifier.weight.mul_(0.1)  # logits of a trained network's size
    contract = replace(
        contract,
        labels=tuple(Label(code, code) for code in "ABCDEFGH"),
        preprocessing=replace(contract.preprocessing, size=SIZE),
    )
    images = golden_images(SIZE)
    reference = reference_session(classifier, contract).predict(images)
    conversions = Conversions(classifier, contract, images)
    parameters = sum(value.numel() for value in classifier.parameters())
    for form in FORMATS:
        path = tmp_path / form.file_name(architecture)
        conversions.write(form, path)
        embed_contract(path, contract)
        verdict = verify_file(path, form, contract, images, reference, parameters)
        assert not any("weights are not" in fault for fault in verdict.faults), form.key
        assert not any("(operator" in fault for fault in verdict.faults), verdict.faults
        if form.key.endswith("fp32"):
            assert verdict.faults == (), form.key
        if form.key.endswith("fp16"):
            # Random weights magnify rounding more than trained ones; a wrong operation is far off.
            assert verdict.comparison.agreement == 1, form.key
            assert verdict.comparison.cam < 0.1, form.key
