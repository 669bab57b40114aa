"""What the README of the results and the model card say of figures that are known."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.trust.card import put_into_card
from benchmarks.trust.images import Amounts
from benchmarks.trust.measure import outdated_evidence
from benchmarks.trust.question import about_network
from benchmarks.trust.summary import card_section, command, lines, text
from benchmarks.trust.tables import networks_list
from benchmarks.trust.worst import worst_cases
from distill.model_card import BIASED_ERROR
from runtimes.hashes import sha256_of
from runtimes.metadata import read_contract

Document = dict[str, Any]


def three(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


def detection(auroc: float) -> Document:
    figures = {key: three(auroc) for key in ("auroc", "aupr", "fpr95")}
    return {"unknown": 40, "called_unknown": 0.9, **figures}


def group(name: str, specificity: float | None, unknown: float) -> Document:
    told = None if specificity is None else three(specificity)
    return {
        **{"by": "sex", "group": name, "images": 50, "melanomas": 10, "called_unknown": unknown},
        **{"accuracy": three(0.8), "alert_sensitivity": three(0.9)},
        "alert_specificity": told if told else {"value": None, "low": None, "high": None},
    }


@pytest.fixture
def document() -> Document:
    ways = {
        way: {key: three(0.3) for key in ("ece", "adaptive_ece", "brier", "nll")}
        for way in ("before", "temperature", "vector")
    }
    withheld = {key: {"area": three(0.2)} for key in ("risk_coverage", "by_confidence")}
    trial = {"name": "max_logit", "chosen": True, "value": 0.5, "pictures": {}, "held_out": {}}
    kinds = {"no dermoscopy": detection(0.9), "blurred": detection(0.8)}
    file = {kind: detection(row["auroc"]["value"]) for kind, row in kinds.items()}
    change = {key: three(0.5) for key in ("same_diagnosis", "accuracy_change", "mean_difference")}
    changes = {"torch:fp32": {"changes": {"blur": change}}}
    return {
        "amounts": vars(Amounts()),
        **{"name": "tiny", "images": 50, "lesions": 40, "synthetic": False, "missing": []},
        "calibration": {
            **{"temperature": 1.1, "torch": ways, "vector_gain_nll": 0.02},
            "vector_same_diagnosis": 0.9,
        },
        "unknown": {
            **{"score": "max_logit", "threshold": -1.0, "accepted_share": 0.9},
            **{"accepted_on_test": 0.8, "pictures": kinds, "max_logit": kinds, "held_out": {}},
            **{"goals": [], "trials": [trial]},
        },
        "withheld": withheld,
        "operating_points": [],
        "adopted": True,
        "files": [{"format": "onnx:int8", "calibration": ways, "unknown": file}],
        "where": None,
        "groups": {
            "rows": [group("female", 0.5, 0.1), group("male", 0.0, 0.2), group("unknown", 0.0, 1)],
            "worst": None,
        },
        "changes": {
            **{"images": 6, "formats": changes},
            "worst": {"torch:fp32": {"change": "blur", **change}},
        },
    }


def test_card_and_results_say_that_resampling_raises_the_calibration_error(
    document: Document,
) -> None:
    assert BIASED_ERROR in text(document)
    assert BIASED_ERROR in card_section(document)


def test_the_results_name_each_convention(document: Document) -> None:
    said = text(document)
    for words in (
        "15 bins of equal width",
        "15 bins of equally many images",
        "sum over classes, 0 to 2",
        "the positives are the pictures that should not be answered",
        "average precision",
        "others take the known images as positives",
        "pieces of one photo",
        "without a margin",
        "same programs with other seeds",
    ):
        assert words in said, words


def test_shares_come_from_the_figures(document: Document) -> None:
    said = text(document)
    assert "10 % of the validation images are above it, 20.0 % of the test images" in said
    assert "held-out class is judged" not in said
    document["unknown"]["held_out"] = {
        "DF": {"chosen": detection(0.7), "max_logit": detection(0.6)}
    }
    assert "held-out class is judged by a student of its own" in text(document)


def test_a_gain_and_a_loss_by_vector_scaling_are_told_apart(document: Document) -> None:
    assert "lowers the negative log-likelihood by 0.0200" in text(document)
    document["calibration"]["vector_gain_nll"] = -0.03
    assert "raises the negative log-likelihood by 0.0300" in text(document)


def test_a_file_is_compared_by_its_worst_kind_of_picture(document: Document) -> None:
    assert "onnx:int8: AUROC at most +0.0000 from torch" in text(document)
    document["files"][0]["unknown"]["blurred"] = detection(0.78)
    said = text(document)
    assert "onnx:int8: AUROC at most -0.0200 from torch (blurred), not within 0.01" in said


def test_a_file_with_another_score_is_not_compared(document: Document) -> None:
    document["adopted"] = False
    said = text(document)
    assert "onnx:int8: its score is not the one fitted here; not compared" in said
    assert "from torch" not in said


def test_the_worst_group_may_have_nothing_right(document: Document) -> None:
    said = worst_cases(document)
    assert "Lowest specificity of the operating point: sex male, 0.000" in said
    assert "of 40 images without melanoma" in said
    assert 'Most often answered with "unknown": sex male, 20.0 % of 50' in said


def test_without_operating_points_the_most_unknown_group_is_told(document: Document) -> None:
    for row in document["groups"]["rows"]:
        del row["alert_specificity"], row["alert_sensitivity"], row["melanomas"]
    said = worst_cases(document)
    assert "specificity" not in said
    assert 'Most often answered with "unknown": sex male' in said


def test_a_card_is_written_of_whole_measurements_alone() -> None:
    assert Amounts().whole
    assert Amounts(pictures=300, side=5000).whole
    for fewer in ({"pictures": 199}, {"masked": 8}, {"changed": 6}, {"fit": 3}):
        assert not Amounts(**fewer).whole


def test_the_terminal_is_told_what_is_missing(document: Document) -> None:
    document["missing"] = ["files: no artifact folder"]
    said = list(lines(document))
    assert said[0].startswith("calibration: T 1.100, ECE 0.300 (0.200 to 0.400) before")
    assert "  blurred: AUROC 0.800 (0.700 to 0.900), max logit 0.800 (0.700 to 0.900)" in said
    assert said[-1] == "not measured: files: no artifact folder"


def test_a_card_keeps_all_else(document: Document, tmp_path: Any) -> None:
    card = tmp_path / "MODEL_CARD.md"
    before = "# name\n\nwords\n\n## Data and licence\n\nimages\n"
    card.write_text(before)
    put_into_card(tmp_path, document)
    other = copy.deepcopy(document)
    other["calibration"]["temperature"] = 2.5
    put_into_card(tmp_path, other)
    found = card.read_text()
    assert "T = 2.500" in found
    assert "T = 1.100" not in found
    start, end = found.index("<!-- trust -->"), found.index("<!-- /trust -->\n\n")
    assert found[:start] + found[end + len("<!-- /trust -->\n\n") :] == before


def test_networks_of_another_budget_are_told_apart() -> None:
    about = {
        **{"architecture": "mobilenet_v2", "size": 224, "method": "no_kd", "budget": "tables"},
        **{"training_images": 17703, "balanced_accuracy": three(0.528), "sha256": "0"},
    }
    (head, *rows) = networks_list({"no_kd": {"about": about}, "older": {}})
    assert "figures of their own training" in head
    assert rows == [
        "- no_kd: mobilenet_v2 at 224 px, budget tables, 17,703 training images, balanced accuracy "
        "0.528 (0.428 to 0.628)."
    ]
    assert networks_list({"older": {}}) == []


def test_a_network_is_told_by_what_its_folder_recorded() -> None:
    released = Path(__file__).parents[2] / "models" / "mobilenet_v2-ssd_kd"
    about = about_network(released)
    metrics = json.loads((released / "metrics.json").read_text())
    assert about["architecture"] == "mobilenet_v2"
    assert (about["method"], about["budget"], about["size"]) == ("ssd_kd", "cpu", 224)
    assert about["balanced_accuracy"] == metrics["metrics"]["balanced_accuracy"]
    assert about["training_images"] == metrics["training"]["images"]
    assert about["sha256"] == sha256_of(released / "student.safetensors")


def test_the_command_is_the_one_that_was_given(document: Document) -> None:
    document["files"] = []
    assert command(document) == "python -m benchmarks trust RUN --data DATA"
    document["files"] = [{}]
    document["unknown"]["held_out"] = {"DF": {}}
    document["amounts"] = vars(Amounts(side=600, pictures=20, changed=8))
    document["where"] = {"networks": {"ssd_kd": {}, "teacher": {}, "no_kd": {}}}
    assert command(document) == (
        "python -m benchmarks trust RUN --data DATA --artifacts ARTIFACTS --leave-out LEAVE_OUT "
        "--images 600 --pictures 20 --changed 8 --run teacher=FOLDER --run no_kd=FOLDER"
    )


def test_older_evidence_in_the_contract_is_noticed() -> None:
    released = Path(__file__).parents[2] / "models" / "mobilenet_v2-ssd_kd"
    contract = read_contract(released)
    assert contract.decision is not None
    own = dict(contract.decision.evidence)
    assert outdated_evidence(contract, own) is None
    near = own | {"brier": np.add(own["brier"], 1e-5).tolist()}
    assert outdated_evidence(contract, near) is None
    assert outdated_evidence(contract, own | {"brier": np.add(own["brier"], 1e-2).tolist()})
    assert outdated_evidence(contract, own | {"unknown_auroc held out X": [0.5, 0.4, 0.6]})
    assert outdated_evidence(replace(contract, decision=None), own)
