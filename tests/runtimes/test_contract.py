"""The contract survives JSON whole, and anything else than a contract is refused by name."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runtimes.contract import Calibration, Contract, Label, Preprocessing
from runtimes.errors import InputError


def test_a_contract_comes_back_from_json_as_it_was(contract: Contract) -> None:
    text = contract.to_json()
    assert Contract.from_json(text, "x") == contract
    assert Contract.from_json(text, "x").to_json() == text


def test_the_json_has_the_keys_that_readers_on_phones_ask_for(contract: Contract) -> None:
    document = json.loads(contract.to_json())
    assert list(document) == [
        "schema",
        "version",
        "name",
        "labels",
        "input",
        "preprocessing",
        "outputs",
        "calibration",
        "training",
        "license",
        "intended_use",
    ]
    assert document["schema"] == "dermport.contract"
    assert document["input"]["shape"] == ["N", 32, 32, 3]
    assert [output["name"] for output in document["outputs"]] == ["probabilities", "cam", "unknown"]


DAMAGES: dict[str, tuple[list[Any], Any, str]] = {
    "unknown key": (["calibration", "temprature"], 1.0, "calibration.temprature"),
    "unknown key of a label": (["labels", 0, "colour"], "red", "labels[0].colour"),
    "unknown key at the top": (["licence"], "MIT", "licence"),
    "missing key": (["training", "seed"], None, "training.seed"),
    "text for a number": (["calibration", "temperature"], "1.0", "calibration.temperature"),
    "true for a number": (["training", "seed"], True, "training.seed"),
    "a fraction of a pixel": (["preprocessing", "size"], 224.5, "preprocessing.size"),
    "another crop": (["preprocessing", "crop"], "centre", "center-square"),
    "no antialias": (["preprocessing", "antialias"], False, "preprocessing.antialias"),
    "a share above one": (["calibration", "accepted_share"], 1.2, "calibration.accepted_share"),
    "a temperature of zero": (["calibration", "temperature"], 0, "calibration.temperature"),
    "an unknown class": (["calibration", "sensitivity"], {"XYZ": 0.5}, "XYZ"),
    "a metric in words": (["training", "metrics"], {"accuracy": "good"}, "metrics.accuracy"),
    "the same label twice": (["labels", 1], {"code": "MEL", "name": "again"}, "MEL"),
    "another input": (["input", "range"], [0, 1], "input"),
    "another schema": (["schema"], "onnx", "dermport.contract"),
    "a truth value in a list of numbers": (["input", "range"], [False, 255], "input"),
    "a newer major version": (["version"], "2.0", "2.0"),
    "no version": (["version"], "one", "version"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_wrong_contract_is_refused_with_file_and_key(contract: Contract, damage: str) -> None:
    path, value, named = DAMAGES[damage]
    document: Any = json.loads(contract.to_json())
    place = document
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    with pytest.raises(InputError) as caught:
        Contract.from_json(json.dumps(document), "some/file.tflite")
    assert "some/file.tflite" in str(caught.value)
    assert named in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        "[" * 100_000,
        '{"schema": NaN}',
        '{"schema": "a", "schema": "b"}',
    ],
)
def test_what_is_not_a_json_object_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="origin"):
        Contract.from_json(text, "origin")


def test_a_key_that_stands_twice_is_refused(contract: Contract) -> None:
    text = contract.to_json().replace('"seed": 3', '"seed": 4, "seed": 3')
    with pytest.raises(InputError, match="'seed' stands twice"):
        Contract.from_json(text, "origin")


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none_are_refused(contract: Contract, constant: str) -> None:
    text = contract.to_json().replace('"seed": 3', f'"seed": {constant}')
    with pytest.raises(InputError, match="not a JSON number"):
        Contract.from_json(text, "origin")


@pytest.mark.parametrize("newer", ["1.2", "1.7"])
def test_a_number_beyond_all_is_refused_wherever_it_stands(contract: Contract, newer: str) -> None:
    text = contract.to_json().replace('"version": "1.2"', f'"version": "{newer}", "more": 1e999')
    with pytest.raises(InputError, match="1e999 is too large"):
        Contract.from_json(text, "origin")


def test_every_cut_of_a_contract_is_refused(contract: Contract) -> None:
    text = contract.to_json().rstrip()
    for end in range(0, len(text), 7):
        with pytest.raises(InputError):
            Contract.from_json(text[:end], "origin")


def test_a_newer_minor_version_may_carry_more_keys(contract: Contract) -> None:
    document = json.loads(contract.to_json())
    document["version"] = "1.7"
    document["training"]["energy"] = 3
    assert Contract.from_json(json.dumps(document), "x") == contract


def test_values_are_checked_when_a_contract_is_made(contract: Contract) -> None:
    with pytest.raises(InputError, match="at least two"):
        dataclasses.replace(contract, labels=(Label("A", "a"),), calibration=_calibration({}))
    with pytest.raises(InputError, match="temperature"):
        Calibration(float("nan"), 0.0, 0.95, {})
    with pytest.raises(InputError, match="effective_resolution"):
        Preprocessing(True, "none", 0, 224, "bilinear", True)


def test_the_module_needs_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, runtimes.contract; sys.exit(any(m in sys.modules for m in ('torch','numpy')))"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def _calibration(sensitivity: dict[str, float]) -> Calibration:
    return Calibration(1.0, 0.0, 0.95, sensitivity)
