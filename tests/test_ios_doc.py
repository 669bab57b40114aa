"""The Swift of docs/ios.md speaks of what an exported .mlpackage has."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from runtimes.contract import INPUT_NAME, OUTPUT_NAMES, Contract
from runtimes.metadata import TEXT_KEY

ROOT = Path(__file__).resolve().parents[1]
STUDENT = ROOT / "models" / "mobilenet_v2-ssd_kd"
SWIFT = re.findall(r"```swift\n(.*?)```", (ROOT / "docs" / "ios.md").read_text(), re.DOTALL)[0]


def _named(pattern: str) -> set[str]:
    return set(re.findall(pattern, SWIFT))


def test_the_swift_names_input_outputs_and_metadata_as_every_package_does() -> None:
    assert _named(r'dictionary: \["(\w+)"') == {INPUT_NAME}
    assert _named(r'featureValue\(for: "(\w+)"\)') == set(OUTPUT_NAMES)
    assert _named(r'metadata\?\["(\w+)"\]') == {TEXT_KEY}


def test_every_key_that_the_swift_decodes_is_in_a_contract() -> None:
    contract = json.loads((STUDENT / "contract.json").read_text())
    inner = {"Label": contract["labels"][0]}
    inner |= {name.title(): contract[name] for name in ("preprocessing", "calibration", "decision")}
    inner["Alert"] = contract["decision"]["alerts"][0]
    for kind, value in inner.items():
        (body,) = re.findall(rf"struct {kind}: Decodable \{{ (.*) \}}", SWIFT)
        keys = re.findall(r"let (\w+):", body)
        assert keys
        assert set(keys) <= set(value), kind
    outer = re.findall(
        r"^        let (version|labels|preprocessing|calibration|decision):", SWIFT, re.MULTILINE
    )
    assert set(outer) == {"version", "labels", "preprocessing", "calibration", "decision"}
    assert set(outer) <= set(contract)


def test_the_brackets_of_the_swift_close() -> None:
    code = re.sub(r'"[^"\n]*"|//[^\n]*', "", SWIFT)
    for opening, closing in ("()", "[]", "{}"):
        assert code.count(opening) == code.count(closing), opening


@pytest.mark.slow
def test_an_exported_package_has_these_names(tmp_path: Path) -> None:
    coremltools = pytest.importorskip("coremltools")
    words = [sys.executable, "-m", "export", "run", str(STUDENT), "--out", str(tmp_path / "out")]
    words += ["--only", "coreml:fp16", "--parity-images", "64", "--calibration-images", "64"]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    (package,) = (tmp_path / "out").glob("*.mlpackage")
    model = coremltools.models.MLModel(str(package), skip_model_load=True)
    description = model.get_spec().description
    assert _named(r'dictionary: \["(\w+)"') == {item.name for item in description.input}
    assert _named(r'featureValue\(for: "(\w+)"\)') == {item.name for item in description.output}
    assert description.input[0].type.WhichOneof("Type") == "imageType"
    (key,) = _named(r'metadata\?\["(\w+)"\]')
    Contract.from_json(model.user_defined_metadata[key], str(package))
