"""Networks with other operations than MobileNetV2's: each format is written and compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from distill.models import Classifier, build_classifier
from export.conversions import Conversions
from export.formats import FORMATS
from export.golden import golden_images
from export.noise import quiet_converters
from export.reference import reference_session
from export.verify import verify_file
from runtimes.contract import Contract, Label
from runtimes.metadata import embed_contract
from runtimes.session import open_model

SIZE = 64
# What ONNX Runtime has no int8 for: the means of squeeze-excite, and BatchNorms before a ReLU.
IN_FLOAT = {
    "efficientnet_b0": {"ReduceMean", "Reshape", "Gather"},
    "densenet121": {"BatchNormalization"},
}


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["efficientnet_b0", "densenet121", "resnet18"])
def test_every_format_is_written_and_the_float_ones_answer_as_torch(
    architecture: str,
    enliven: Callable[[Classifier, int], Classifier],
    contract: Contract,
    tmp_path: Path,
) -> None:
    quiet_converters()
    torch.manual_seed(0)
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
    left = {}
    parameters = sum(value.numel() for value in classifier.parameters())
    for form in FORMATS:
        path = tmp_path / form.file_name(architecture)
        conversions.write(form, path)
        left[form.key] = {name.split(" ")[0] for name in conversions.left_in_float(form, path)}
        embed_contract(path, contract)
        answers = open_model(path).predict(images)
        verdict = verify_file(path, form, contract, answers, reference, parameters)
        assert not any("weights are not" in fault for fault in verdict.faults), form.key
        assert not any("(operator" in fault for fault in verdict.faults), verdict.faults
        if form.key.endswith("fp32"):
            assert verdict.faults == (), form.key
        if form.key.endswith("fp16"):
            # Random weights magnify rounding more than trained ones; a wrong operation is far off.
            assert verdict.comparison.probability < 0.05, form.key
            assert verdict.comparison.cam < 0.1, form.key
    small = left.pop("coreml:int8-weights")
    assert small <= {"conv"}
    in_float = {key: kinds for key, kinds in left.items() if kinds}
    assert in_float == ({"onnx:int8": IN_FLOAT[architecture]} if architecture in IN_FLOAT else {})
