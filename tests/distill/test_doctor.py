"""The doctor: names what is missing and the command that installs it."""

from __future__ import annotations

import pytest

from distill import doctor


def test_a_missing_package_names_its_stage_and_command(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = doctor.importlib.util.find_spec
    monkeypatch.setattr(
        doctor.importlib.util,
        "find_spec",
        lambda name: None if name == "coremltools" else whole(name),
    )
    found = doctor.examine()
    assert "'.[coreml]'" in found["missing"]["coreml"]
    assert found["formats"]["Core ML"] is False
    assert found["formats"]["TFLite"] is True


def test_nothing_is_missing_in_the_tested_environment() -> None:
    found = doctor.examine()
    assert found["missing"] == {}
    assert any(device.startswith("cpu") for device in found["devices"])
