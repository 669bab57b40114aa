"""show prints what a file says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtimes.__main__ import VERBS
from runtimes.console import run_program
from runtimes.contract import Contract

from .conftest import Tiny


def test_show_names_classes_preprocessing_and_metrics(
    tiny: Tiny, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in tiny.files:
        assert run_program("runtimes", "", VERBS, ["show", str(path)]) == 0
        text = capsys.readouterr().out
        for part in ("Melanoma", "Fibroma ä", "16×16", "SYNTHETIC", "balanced_accuracy", "0.5000"):
            assert part in text


def test_json_is_the_contract_itself(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program("runtimes", "", VERBS, ["show", str(tiny.onnx), "--json"]) == 0
    assert Contract.from_json(capsys.readouterr().out, "output") == tiny.contract


def test_a_file_without_contract_is_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.onnx").write_bytes(b"\x00\x01")
    assert run_program("runtimes", "", VERBS, ["show", str(tmp_path / "a.onnx")]) == 2
    assert "a.onnx" in capsys.readouterr().err
