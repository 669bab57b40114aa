"""The table of formats, and what is derived from it."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from distill.models import Classifier
from export.conversions import Conversions
from export.formats import FORMATS, markdown_table, select_formats
from runtimes.contract import Contract
from runtimes.dependencies import BASE, STAGES
from runtimes.errors import InputError, MissingDependencyError


def test_nine_formats_with_names_of_their_own() -> None:
    assert len(FORMATS) == 9
    assert len({form.key for form in FORMATS}) == 9
    assert len({form.file_name("name") for form in FORMATS}) == 9


def test_everything_by_default_and_in_the_order_of_the_table() -> None:
    assert select_formats(None) == FORMATS
    chosen = select_formats(["tflite:int8", "onnx"])
    assert [form.key for form in chosen] == ["onnx:fp32", "onnx:fp16", "onnx:int8", "tflite:int8"]


def test_a_misspelt_format_is_an_error_that_names_the_alternatives() -> None:
    with pytest.raises(InputError, match=r"'tflite:int4'.*tflite:int8.*coreml"):
        select_formats(["tflite:int4"])


def test_a_missing_package_is_named_with_its_install_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "coremltools" else find(name)
    )
    (form,) = select_formats(["coreml:fp16"])
    with pytest.raises(MissingDependencyError, match=r"'coremltools'.*\[coreml\]"):
        form.require_packages()
    select_formats(["onnx:fp32"])[0].require_packages()


def test_the_readme_table_has_a_line_for_every_format() -> None:
    lines = markdown_table().splitlines()
    assert len(lines) == 2 + len(FORMATS)
    for form, line in zip(FORMATS, lines[2:], strict=True):
        assert form.file_name("NAME") in line
        assert f"`{form.key}`" in line


def test_a_file_of_wider_weights_is_too_large_for_its_format() -> None:
    parameters = 2_234_120  # MobileNetV2 with eight classes
    for form in FORMATS:
        assert form.weight_bytes * parameters < form.largest_file(parameters)
        assert form.largest_file(parameters) < 2 * form.weight_bytes * parameters


def test_an_unknown_row_of_the_table_is_not_written_as_something_else(
    classifier: Classifier, contract: Contract, tmp_path: Path
) -> None:
    conversions = Conversions(classifier, contract, None)
    for family in ("onnx", "coreml", "tflite", "gguf"):
        form = replace(FORMATS[0], family=family, precision="int4")
        with pytest.raises(ValueError, match=f"{family}:int4"):
            conversions.write(form, tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_the_groups_are_those_of_pyproject() -> None:
    text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    groups = {BASE: project["dependencies"], **project["optional-dependencies"]}
    for stage, packages in STAGES.items():
        named = {re.split("[<>=]", line)[0].lower() for line in groups[stage]}
        assert {package.lower() for _, package in packages} <= named, stage
