"""The decision rule: unknown first, then a suspicion, then the likeliest class."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtimes.__main__ import VERBS
from runtimes.console import run_program
from runtimes.contract import Contract
from runtimes.contract_decision import Alert, Decision
from runtimes.decision import decide
from runtimes.errors import InputError
from runtimes.metadata import embed_contract

from .conftest import Tiny, encode, photo


def _alert(code: str, aim: float, threshold: float) -> Alert:
    return Alert(code, aim, threshold, (aim, 0.5, 1.0), (0.6, 0.5, 0.7))


@pytest.fixture
def decided(contract: Contract) -> Contract:
    code = contract.codes[0]
    alerts = (_alert(code, 0.9, 0.2), _alert(code, 0.95, 0.1))
    decision = Decision("features", 0.9, alerts, {"images": 9, "auroc": [0.9, 0.8, 1.0]})
    return replace(contract, decision=decision)


def test_a_decision_comes_back_from_json(decided: Contract) -> None:
    found = Contract.from_json(decided.to_json(), "x")
    assert found == decided
    assert found.decision is not None
    assert found.decision.alert == decided.decision.alerts[0]  # type: ignore[union-attr]
    assert json.loads(decided.to_json())["version"] == "1.2"


def test_unknown_comes_first_then_the_alert_then_the_likeliest(decided: Contract) -> None:
    threshold, codes = decided.calibration.unknown_threshold, decided.codes
    rest = (1 - 0.2) / (len(codes) - 2)
    at, below = [0.2, 0.0], [0.2 - 1e-6, 0.0]
    alarmed, calm = ([*start, *[rest] * (len(codes) - 2)] for start in (at, below))
    assert decide(decided, alarmed, threshold + 1e-6) == "unknown"
    assert decide(decided, alarmed, float("nan")) == "unknown"
    assert decide(decided, alarmed, threshold) == f"suspected {codes[0]}"
    assert decide(decided, calm, threshold) == codes[2]


def test_the_aim_in_force_is_the_one_that_counts(decided: Contract) -> None:
    assert decided.decision is not None
    probabilities = [0.15, *[0.85 / (len(decided.codes) - 1)] * (len(decided.codes) - 1)]
    quiet = decide(decided, probabilities, -1e9)
    strict = replace(decided, decision=replace(decided.decision, aim=0.95))
    none = replace(decided, decision=replace(decided.decision, aim=None))
    assert quiet == decide(none, probabilities, -1e9) == decided.codes[1]
    assert decide(strict, probabilities, -1e9) == f"suspected {decided.codes[0]}"


def test_older_contracts_have_no_decision_and_answer_as_before(contract: Contract) -> None:
    document = json.loads(contract.to_json())
    for version in ("1.0", "1.1"):
        found = Contract.from_json(json.dumps({**document, "version": version}), "x")
        assert found.decision is None
        assert decide(found, [0.9, *[0.0] * (len(found.codes) - 1)], -1e9) == found.codes[0]


DAMAGES: dict[str, tuple[list[Any], Any, str]] = {
    "another rule": (["rule"], "always NV", "decision.rule"),
    "an unknown score of no kind": (["unknown_score"], "magic", "max_logit, features"),
    "an aim without an alert": (["aim"], 0.5, "the alerts' aims"),
    "an alert of no class": (["alerts", 0, "code"], "XYZ", "XYZ"),
    "a threshold above one": (["alerts", 0, "threshold"], 1.5, "threshold"),
    "no interval": (["alerts", 0, "sensitivity"], [0.9], "value, low and high"),
    "evidence in words": (["evidence"], {"auroc": "good"}, "evidence.auroc"),
    "an unknown key": (["alerts", 0, "colour"], "red", "alerts[0].colour"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_wrong_decision_is_refused_with_its_key(decided: Contract, damage: str) -> None:
    path, value, named = DAMAGES[damage]
    document = json.loads(decided.to_json())
    place = document["decision"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(InputError) as caught:
        Contract.from_json(json.dumps(document), "some/file.tflite")
    assert "some/file.tflite" in str(caught.value)
    assert named in str(caught.value)


def test_predict_writes_the_decision_of_the_files_own_contract(tiny: Tiny, tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny.onnx.read_bytes())
    code = tiny.contract.codes[0]
    known = replace(tiny.contract.calibration, unknown_threshold=1e6)
    told = replace(
        tiny.contract,
        calibration=known,
        decision=Decision("max_logit", 0.9, (_alert(code, 0.9, 0.0),), {}),
    )
    embed_contract(path, told)
    picture, out = tmp_path / "photo.png", tmp_path / "answers.csv"
    picture.write_bytes(encode(photo(0), "PNG"))
    words = ["predict", str(path), str(picture), "--out", str(out)]
    assert run_program("runtimes", "", VERBS, words) == 0
    with out.open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["decision"] == f"suspected {code}"
    assert row["diagnosis"] in tiny.contract.codes
    assert row["is_unknown"] == "false"


def test_show_tells_the_operating_points(
    tiny: Tiny, tmp_path: Path, decided: Contract, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny.onnx.read_bytes())
    embed_contract(path, replace(tiny.contract, decision=decided.decision))
    assert run_program("runtimes", "", VERBS, ["show", str(path)]) == 0
    said = capsys.readouterr().out
    assert f"alert for {decided.codes[0]} at 0.2000 (90% of the validation images" in said
    assert "in force" in said
