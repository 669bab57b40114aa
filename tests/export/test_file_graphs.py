"""The operators of every written file cost what the torch module costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.flops.report import count_file
from benchmarks.flops.torch_graph import module_graph
from benchmarks.latency.files import find_files
from distill.models import Classifier
from export.conversions import Conversions
from export.formats import FORMATS, Format
from runtimes.contract import Contract

from .conftest import SIZE

GROUPS = {"onnx": "onnxscript", "coreml": "coremltools", "tflite": "litert_torch"}
TRUNK = 16 * 16 * 8 * 27 + 16 * 16 * 8 * 9 + 16 * 16 * 8 * 8 + 8 * 8 * 24 * 8 * 9
WEIGHTS = 8 * 27 + 8 * 9 + 8 * 8 + 24 * 8 * 9 + 4 * 24


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.key)
def test_a_file_has_the_operations_and_numbers_of_its_module(
    form: Format, classifier: Classifier, contract: Contract, images: np.ndarray, tmp_path: Path
) -> None:
    pytest.importorskip(GROUPS[form.family], reason=f"needs the {form.family} group")
    path = tmp_path / f"tiny{form.suffix}"
    Conversions(classifier, contract, images[:16]).write(form, path)
    cost = count_file(find_files([path])[0]).cost
    assert cost is not None
    # The head's convolution is applied to each of the 64 places of the last map.
    assert cost.macs == TRUNK + 64 * 4 * 24
    biases = 8 + 8 + 8 + 24 + 4
    assert cost.parameters - WEIGHTS - biases in (0, 4)  # TFLite's head has a bias of zeros, too
    assert sum(step.macs for step in module_graph(classifier, SIZE).steps) == TRUNK + 4 * 24
    largest = {"fp32": 4, "fp16": 2, "int8-weights": 2, "int8": 1, "w8a8": 2}[form.precision]
    stem = largest * 16 * 16 * 8
    assert stem < cost.peak_activation_bytes < 4 * 4 * 16 * 16 * 8
