"""`benchmarks trust` on a tiny run: everything is written, kept, adopted; bad input is named."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.report.findings import Inputs
from benchmarks.report.page.document import page
from benchmarks.report.report import build_report
from benchmarks.trust import files as measuring
from benchmarks.trust.ask import ask_student
from benchmarks.trust.card import put_into_card
from benchmarks.trust.images import Amounts
from benchmarks.trust.kept import Kept
from distill.comparison import read_student
from distill.dataset import Dataset
from runtimes.errors import InputError

from .conftest import Exported
from .json_schema import faults
from .report_page import SCHEMA, Page
from .trust_calls import FEW, run, setting_of

pytestmark = pytest.mark.slow

BUDGET = """
name: tiny_leave_out
purpose: test
cache: 40
evaluation_size: 64
images_per_class: 20
teacher: {phases: [{epochs: 1, size: 40, batch: 32}], lr: 0.01, weights: random}
head: {}
student:
  phases: [{epochs: 0.3, size: 64, batch: 16}]
  lr: 0.01
  weights: random
"""


@pytest.fixture(scope="module")
def held_out(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("held")
    (folder / "tiny.yaml").write_text(BUDGET)
    out = folder / "leave_out"
    words = ["--hold-out", "DF", "--budget", folder / "tiny.yaml", "--out", out]
    assert run("leave-out", exported.run, *words) == 0
    return out


@pytest.fixture(scope="module")
def results(exported: Exported, held_out: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trust")
    words = ["--artifacts", exported.artifacts, "--leave-out", held_out, "--out", folder / "out"]
    words += ["--run", f"no_kd2={exported.run}", "--work", folder / "work", *FEW]
    assert run("trust", exported.run, *words) == 0
    return folder


def _document(results: Path) -> dict:  # type: ignore[type-arg]
    return dict(json.loads((results / "out" / "trust.json").read_text()))


def test_all_parts_are_measured_in_torch_and_in_every_file(results: Path) -> None:
    found = _document(results)
    assert found["synthetic"]
    assert [row["format"] for row in found["files"]] == ["onnx:fp32", "onnx:int8"]
    torch = found["calibration"]["torch"]
    assert set(torch) == {"before", "temperature", "vector"}
    exact = found["files"][0]["calibration"]
    for way in ("before", "temperature"):
        for name in ("ece", "adaptive_ece", "brier", "nll"):
            value = torch[way][name]["value"]
            assert exact[way][name]["value"] == pytest.approx(value, abs=2e-3), (way, name)
    # the files carry minus the largest logit, not what was fitted here, and torch's thresholds
    assert found["adopted"] is False
    assert any(told.startswith("files with what is fitted here") for told in found["missing"])
    for kind, row in found["unknown"]["max_logit"].items():
        own = found["files"][0]["unknown"][kind]
        assert own["auroc"]["value"] == pytest.approx(row["auroc"]["value"], abs=0.02), kind
    for own, point in zip(
        found["files"][0]["operating_points"], found["operating_points"], strict=True
    ):
        for name in ("sensitivity", "specificity"):
            assert own[name] == pytest.approx(point[name]["value"], abs=0.1)
    assert set(found["unknown"]["held_out"]) == {"DF"}
    kinds = ["no dermoscopy", "drawn", "photos", "noise", "blurred", "occluded", "non-lesion skin"]
    assert list(found["unknown"]["pictures"]) == kinds
    assert [point["aim"] for point in found["operating_points"]] == [0.9, 0.95]
    assert set(found["where"]["networks"]) == {"no_kd", "no_kd2"}
    assert found["where"]["grad_cam_difference"] < 1e-4
    assert set(found["changes"]["formats"]) == {"torch:fp32", "onnx:int8"}
    assert len(found["changes"]["formats"]["onnx:int8"]["changes"]) == 18
    assert found["groups"]["rows"]
    told = " ".join(found["missing"])
    assert "teacher" in told
    assert "VASC held out" in told
    assert "DF held out" not in told
    names = {path.name for path in (results / "out").iterdir()}
    pictures = {"where.png", "reliability.png", "risk-coverage.png", "changes.png"}
    assert names == {"trust.json", "README.md", *pictures}
    for name in pictures:
        Image.open(results / "out" / name).verify()


def test_the_same_network_twice_looks_at_the_same(results: Path) -> None:
    where = _document(results)["where"]["networks"]
    assert where["no_kd"]["clean"]["energy"] == where["no_kd2"]["clean"]["energy"]
    assert where["no_kd"]["artefacts"] == where["no_kd2"]["artefacts"]


def test_a_second_time_nobody_is_asked_again(
    exported: Exported,
    held_out: Path,
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr("benchmarks.trust.network.Network.ask", refuse)
    monkeypatch.setattr(measuring, "open_model", refuse)
    words = ["--artifacts", exported.artifacts, "--leave-out", held_out, "--out", tmp_path / "out"]
    words += ["--run", f"no_kd2={exported.run}", "--work", results / "work", *FEW]
    assert run("trust", exported.run, *words) == 0
    before, after = (_document(folder) for folder in (results, tmp_path))
    assert {**before, "provenance": 0} == {**after, "provenance": 0}


def test_other_amounts_are_asked_anew_and_damaged_answers_too(
    exported: Exported, dataset: Dataset, tmp_path: Path
) -> None:
    kept, asked = Kept(tmp_path), []

    def make() -> dict[str, np.ndarray]:
        asked.append(1)
        return {"a|b": np.arange(3)}

    for about in ({"n": 1}, {"n": 1}, {"n": 2}):
        assert kept.get("x", about, make)["a|b"].tolist() == [0, 1, 2]
    assert len(asked) == 2
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:40])
    kept.get("x", {"n": 1}, make)
    assert len(asked) == 3


def test_what_was_fitted_is_adopted_exported_and_measured(
    exported: Exported, held_out: Path, results: Path, tmp_path: Path
) -> None:
    own = tmp_path / "adopted"
    shutil.copytree(exported.run, own)
    words = ["--leave-out", held_out, "--out", tmp_path / "out", "--work", results / "work", *FEW]
    assert run("trust", own, *words, "--adopt") == 0
    classifier, contract = read_student(own)
    decision = contract.decision
    assert decision is not None
    assert (decision.unknown_score == "features") == (classifier.unknown is not None)
    assert [alert.aim for alert in decision.alerts] == [0.9, 0.95]
    assert contract.calibration.accepted_share >= 0.95
    assert contract.calibration.temperature == read_student(exported.run)[1].calibration.temperature
    assert decision.evidence["unknown_auroc drawn"][0] == pytest.approx(
        _document(tmp_path)["unknown"]["pictures"]["drawn"]["auroc"]["value"]
    )
    # files that were exported before that say something else
    words = ["--artifacts", exported.artifacts, "--out", tmp_path / "out2", *FEW]
    assert run("trust", own, *words) == 2


def test_the_report_has_a_section_and_refuses_another_student(
    exported: Exported, measured: Inputs, results: Path, tmp_path: Path
) -> None:
    report = build_report(replace(measured, trust=results / "out" / "trust.json"))
    assert faults(report.to_json(), SCHEMA, SCHEMA) == []
    words = "".join(Page(page(report)).texts)
    assert "Can it be trusted?" in words
    assert "DF, held out" in words
    assert "onnx:int8" in words
    assert "AUROC of no dermoscopy at least 0.95" in words
    assert all(item.what != "trust" for item in report.found.missing)
    other = _document(results) | {"student": {"sha256": "0" * 64}}
    (tmp_path / "trust.json").write_text(json.dumps(other))
    with pytest.raises(InputError, match="another student"):
        build_report(replace(measured, trust=tmp_path / "trust.json"))
    assert any(item.what == "trust" for item in build_report(measured).found.missing)


def test_the_card_gets_its_section_once(results: Path, tmp_path: Path) -> None:
    document = _document(results)
    assert put_into_card(tmp_path, document) is None
    card = tmp_path / "MODEL_CARD.md"
    card.write_text("# name\n\n## Known failures\n\n- one\n\n## Data and licence\n\nimages\n")
    put_into_card(tmp_path, document)
    first = card.read_text()
    put_into_card(tmp_path, document)
    assert card.read_text() == first
    assert first.count("## Can it be trusted?") == 1
    assert first.index("Can it be trusted?") < first.index("## Data and licence")
    assert "Worst change of the picture" in first


def test_a_student_that_may_have_seen_the_class_is_refused(
    exported: Exported, held_out: Path, dataset: Dataset, tmp_path: Path
) -> None:
    shutil.copytree(held_out / "DF", tmp_path / "held" / "VASC")
    words = ["--leave-out", tmp_path / "held", "--out", tmp_path / "out", *FEW]
    assert run("trust", exported.run, *words, "--work", tmp_path / "work") == 2
    (tmp_path / "empty").mkdir()
    assert run("trust", exported.run, "--leave-out", tmp_path / "empty") == 2


def test_the_class_maps_of_an_exported_file_are_grad_cam(
    exported: Exported, dataset: Dataset
) -> None:
    import torch

    from benchmarks.trust.images import cached
    from benchmarks.trust.network import enlarged
    from distill.checkpoint import load_classifier
    from distill.gradcam import grad_cam
    from distill.models import normalise
    from runtimes.session import open_model

    path = next(exported.artifacts.glob("*fp32.onnx"))
    classifier = load_classifier(exported.run / "student.safetensors")
    pixels = enlarged(cached(dataset, dataset.ids("test")[:6]), 64)
    answer = open_model(path, 1).predict(pixels)
    classes = answer.probabilities.argmax(axis=1)
    maps = answer.cam[np.arange(6), :, :, classes]
    given = normalise(torch.from_numpy(pixels).permute(0, 3, 1, 2).float())
    found = grad_cam(classifier, given, torch.from_numpy(classes)).numpy()
    unit = np.abs(maps).max()
    assert unit > 0
    assert np.abs(found * maps.shape[1] * maps.shape[2] - maps).max() / unit < 1e-5


def test_the_student_is_asked_as_it_answers(
    exported: Exported, dataset: Dataset, results: Path, tmp_path: Path
) -> None:
    from benchmarks.trust.images import cached
    from distill.models import normalise
    from export.image_set import network_pixels

    classifier, contract = read_student(exported.run)
    setting = setting_of(exported, dataset, tmp_path)
    few = replace(setting, amounts=Amounts(fit=3, side=20, pictures=4))
    found = ask_student(few, exported.run)
    assert set(found) >= {"fit", "validation", "test", "test/drawn", "validation/photos"}
    assert len(found["fit"].logits) == 3 * len(dataset.index.classes)
    import torch

    from benchmarks.trust.images import side_rows

    ids = [dataset.ids("test")[row] for row in side_rows(dataset, "test", few.amounts)]
    assert len(cached(dataset, ids)) == 20
    pixels = network_pixels(dataset, ids, contract.preprocessing)
    with torch.no_grad():
        own = classifier(normalise(torch.from_numpy(pixels).permute(0, 3, 1, 2).float()))
    assert np.abs(found["test"].logits - own.logits.numpy()).max() < 1e-3
    assert np.abs(found["test"].pooled - own.pooled.numpy()).max() < 1e-3
