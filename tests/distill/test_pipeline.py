"""The main job in small: teacher, head and student from the command line to a finished run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from distill.checkpoint import load_classifier
from distill.comparison import measure_run, read_student
from distill.dataset import open_dataset, to_device
from distill.models import build_network
from distill.runlog import read_log
from runtimes import arguments
from runtimes.contract import Contract
from runtimes.errors import InputError
from runtimes.locks import claim

BUDGET = """
name: tiny
purpose: test
cache: 40
evaluation_size: 64
teacher:
  phases: [{epochs: 1, size: 40, batch: 32}]
  lr: 0.01
  weights: random
head: {epochs: 2, batch: 16, size: 40, images: 40, milestones: [1]}
student:
  phases: [{epochs: 0.5, size: 40, batch: 16, views: 4}, {epochs: 0.4, size: 64, batch: 16}]
  lr: 0.01
  schedule: cosine
  weights: random
"""
PAIR = "shufflenet_v2_x1_0:shufflenet_v2_x0_5"


def _train(
    folder: Path, sample: Path, *more: str, recipe: str = "ssd_kd", budget: str = BUDGET
) -> subprocess.CompletedProcess[str]:
    (folder / "tiny.yaml").write_text(budget)
    words = ["-m", "distill", "train", recipe, "--data", str(sample), "--out", str(folder / "run")]
    words += ["--budget", str(folder / "tiny.yaml"), "--pair", PAIR, *more]
    words += ["--cache-dir", str(folder / "cache")]
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def finished(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    done = _train(folder, sample)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_a_run_leaves_student_contract_metrics_curves_and_split(finished: Path) -> None:
    run = finished / "run"
    for name in ("recipe.yaml", "split.json", "data.json", "log.jsonl", "curves.png"):
        assert (run / name).stat().st_size > 0, name
    assert load_classifier(run / "student.safetensors").architecture == "shufflenet_v2_x0_5"
    contract = Contract.from_json((run / "contract.json").read_text(), "contract")
    assert contract.training.synthetic
    assert "synthetic" in contract.training.data
    assert contract.preprocessing.effective_resolution == 40
    assert contract.preprocessing.size == 64
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["split"]["sha256"] == contract.training.split_sha256
    assert metrics["synthetic"] is True
    assert not (run / "state.safetensors").exists()


def test_the_data_set_of_a_run_opens_again(finished: Path) -> None:
    dataset = open_dataset(finished / "run")
    assert not set(dataset.groups("train")) & set(dataset.groups("test"))


def test_kept_logits_are_those_of_the_student(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, run = open_dataset(finished / "run"), finished / "run"
    images = to_device(dataset, torch.device("cpu"))
    (run / "logits.safetensors").rename(run / "aside")
    predicted = measure_run(run, dataset, images, "test")
    (run / "aside").rename(run / "logits.safetensors")
    monkeypatch.setattr("distill.comparison.predict_logits", None)
    kept = measure_run(run, dataset, images, "test")
    assert np.allclose(kept.probabilities, predicted.probabilities, atol=1e-6)
    assert kept.metrics == predicted.metrics


def test_a_finished_run_is_not_trained_over(finished: Path, sample: Path) -> None:
    before = (finished / "run" / "student.safetensors").read_bytes()
    done = _train(finished, sample)
    assert done.returncode == 2
    assert "finished run" in done.stderr
    assert (finished / "run" / "student.safetensors").read_bytes() == before


def test_going_on_with_a_finished_run_says_so_and_with_other_settings_is_refused(
    finished: Path, sample: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in (finished / "run").rglob("*")}
    same = _train(finished, sample, "--resume")
    assert same.returncode == 0, same.stderr
    assert "is finished with these settings" in same.stderr
    for words in (("--seed", "5"), ("--pair", "resnet18:shufflenet_v2_x0_5"), ("--split", "paper")):
        other = _train(finished, sample, "--resume", *words)
        assert other.returncode == 2, words
        assert "finished run with another" in other.stderr, words
    recipe = _train(finished, sample, "--resume", recipe="blkd")
    assert recipe.returncode == 2
    assert {path: path.stat().st_mtime_ns for path in (finished / "run").rglob("*")} == before


def test_a_run_goes_into_a_folder_of_its_own(sample: Path, tmp_path: Path) -> None:
    data, other = tmp_path / "data", tmp_path / "other"
    shutil.copytree(sample, data)
    other.mkdir()
    (other / "thesis.txt").write_text("years")
    for out, message in (
        (data, "lies in the data set"),
        (data / "runs" / "a", "lies in the data set"),
        (other, "something else than a run"),
    ):
        done = _train(tmp_path, data, "--out", str(out), recipe="no_kd")
        assert done.returncode == 2, done.stderr
        assert message in done.stderr
    assert not (data / "runs").exists()
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]


def test_a_student_of_another_architecture_than_its_contract_is_refused(
    finished: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished / "run", run)
    shutil.copy(run / "teacher" / "teacher.safetensors", run / "student.safetensors")
    with pytest.raises(InputError, match=r"shufflenet_v2_x1_0.*speaks of a shufflenet_v2_x0_5"):
        read_student(run)


def test_a_teacher_of_another_split_is_refused(finished: Path, sample: Path) -> None:
    teacher = str(finished / "run" / "teacher")
    done = _train(
        finished, sample, "--teacher", teacher, "--seed", "5", "--out", str(finished / "other")
    )
    assert done.returncode == 2
    assert "another split" in done.stderr


def test_a_teacher_of_another_architecture_is_refused(finished: Path, sample: Path) -> None:
    teacher = str(finished / "run" / "teacher")
    pair = "resnet18:shufflenet_v2_x0_5"
    out = str(finished / "third")
    done = _train(finished, sample, "--teacher", teacher, "--pair", pair, "--out", out)
    assert done.returncode == 2
    assert "shufflenet_v2_x1_0" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_time_budget_stops_cleanly_and_resume_is_asked_for(sample: Path, tmp_path: Path) -> None:
    done = _train(tmp_path, sample, "--time-budget", "0.01s", recipe="no_kd")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "--resume" in done.stderr
    again = _train(tmp_path, sample, recipe="no_kd")
    assert again.returncode == 2
    assert "unfinished run" in again.stderr
    last = _train(tmp_path, sample, "--resume", recipe="no_kd")
    assert last.returncode == 0, last.stderr[-2000:]
    assert (tmp_path / "run" / "student.safetensors").exists()


def test_a_killed_run_goes_on_from_its_last_state(sample: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(BUDGET.replace("epochs: 0.5", "epochs: 3"))
    words = ["-m", "distill", "train", "no_kd", "--data", str(sample), "--pair", PAIR]
    words += ["--out", str(tmp_path / "run"), "--budget", str(tmp_path / "tiny.yaml")]
    words += ["--cache-dir", str(tmp_path / "cache")]
    with subprocess.Popen([sys.executable, *words], stderr=subprocess.DEVNULL) as process:
        state = tmp_path / "run" / "state.safetensors"
        for _ in range(3000):
            if state.exists() or process.poll() is not None:
                break
            time.sleep(0.02)
        process.kill()
    assert state.exists()
    assert not (tmp_path / "run" / "student.safetensors").exists()
    rows = read_log(tmp_path / "run" / "log.jsonl")
    done = subprocess.run([sys.executable, *words, "--resume"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert rows  # seconds and all: these epochs were not trained again
    assert read_log(tmp_path / "run" / "log.jsonl")[: len(rows)] == rows
    assert (tmp_path / "run" / "student.safetensors").exists()


def test_going_on_elsewhere_keeps_the_name_of_the_initial_weights(
    sample: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    network = build_network("shufflenet_v2_x0_5")
    save_file(network.state_dict(), weights / "shufflenet_v2_x0_5_theirs.safetensors")
    budget = BUDGET.replace("weights: random", "weights: imagenet")
    first = _train(tmp_path, sample, "--time-budget", "0.01s", "--weights-dir", str(weights),
                   recipe="no_kd", budget=budget)  # fmt: skip
    assert "--resume" in first.stderr, first.stderr[-2000:]
    shutil.rmtree(weights)
    last = _train(tmp_path, sample, "--resume", recipe="no_kd", budget=budget)
    assert last.returncode == 0, last.stderr[-2000:]
    assert "random weights" not in last.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert "shufflenet_v2_x0_5_theirs" in metrics["initial_weights"]
    assert not (tmp_path / "run" / "initial.json").exists()


def test_two_trainings_do_not_share_a_run_folder(sample: Path, tmp_path: Path) -> None:
    stopped = _train(tmp_path, sample, "--time-budget", "0.01s", recipe="no_kd")
    assert stopped.returncode == 0, stopped.stderr[-2000:]
    before = (tmp_path / "run" / "state.safetensors").read_bytes()
    with claim(tmp_path / "run") as mine:
        assert mine
        second = _train(tmp_path, sample, "--resume", recipe="no_kd")
    assert second.returncode == 2
    assert "being trained by another process" in second.stderr
    assert (tmp_path / "run" / "state.safetensors").read_bytes() == before


def test_a_training_that_has_saved_nothing_yet_keeps_its_split(
    sample: Path, tmp_path: Path
) -> None:
    assert _train(tmp_path, sample, "--time-budget", "0.01s", recipe="no_kd").returncode == 0
    (tmp_path / "run" / "state.safetensors").unlink()
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.*")}
    with claim(tmp_path / "run"):
        second = _train(tmp_path, sample, "--seed", "5", recipe="no_kd")
    assert second.returncode == 2
    assert "being trained by another process" in second.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.*")} == before


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("9m", 540), ("1.5h", 5400)])
def test_time_budgets_are_read(text: str, seconds: float) -> None:
    assert arguments.seconds(text) == seconds


def test_the_figures_of_a_run_are_kept_without_its_weights(finished: Path, tmp_path: Path) -> None:
    words = ["-m", "distill", "record", str(finished / "run"), "--out", str(tmp_path / "kept")]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kept = {path.name for path in (tmp_path / "kept").iterdir()}
    assert {"metrics.json", "split.json", "recipe.yaml", "teacher-metrics.json"} <= kept
    assert not any(name.endswith(".safetensors") for name in kept)
    words[3] = str(tmp_path / "nowhere")
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert done.returncode == 2
    assert (tmp_path / "kept" / "metrics.json").exists()


def test_a_name_that_no_file_could_have_is_refused_before_training(
    sample: Path, tmp_path: Path
) -> None:
    done = _train(tmp_path, sample, "--out", str(tmp_path / "my run"), recipe="no_kd")
    assert done.returncode == 2
    assert "'my run'" in done.stderr
    assert not (tmp_path / "my run").exists()


def test_the_records_of_a_finished_teacher_are_not_overwritten(
    finished: Path, sample: Path
) -> None:
    teacher = finished / "run" / "teacher"
    before = (teacher / "recipe.yaml").read_bytes()
    done = _train(finished, sample, "--out", str(teacher), recipe="no_kd")
    assert done.returncode == 2
    assert "teacher.safetensors" in done.stderr
    assert (teacher / "recipe.yaml").read_bytes() == before


def test_an_unknown_student_is_named_before_the_teacher_is_trained(
    sample: Path, tmp_path: Path
) -> None:
    done = _train(tmp_path, sample, "--pair", "resnet18:nonsense")
    assert done.returncode == 2
    assert "'nonsense'" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_file_in_the_way_of_the_run_is_an_input_error(sample: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    done = _train(tmp_path, sample, "--out", str(tmp_path / "file" / "run"), recipe="no_kd")
    assert done.returncode == 2
    assert "stands in the way" in done.stderr
    assert (tmp_path / "file").read_text() == "mine"
