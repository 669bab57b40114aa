"""The table of formats, and what is derived from it."""

from __future__ import annotations

import importlib.util

import pytest

from export.formats import FORMATS, markdown_table, select_formats
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
