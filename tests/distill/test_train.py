"""The loop: stops and goes on to the same weights, and two processes train as one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from train_tiny import SHORT, STAGE, train_tiny

from distill.dataset import Dataset, prepare_dataset, to_device
from distill.inference import predict_logits
from distill.losses import weighted_cross_entropy
from distill.recipes import Phase, Stage
from distill.runlog import read_log
from distill.schedule import LearningRate, plan_epochs
from runtimes.errors import InputError

STAGES = {
    "sgd": STAGE,
    "adamw": replace(STAGE, optimizer="adamw", lr=0.003, weight_decay=0.05, grad_clip=1.0),
}


@pytest.fixture(scope="module")
def whole(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    folders = {name: tmp_path_factory.mktemp(name) for name in STAGES}
    return {
        name: (train_tiny(dataset, folders[name], stage=stage), folders[name])
        for name, stage in STAGES.items()
    }


@pytest.mark.parametrize("optimizer", STAGES)
@pytest.mark.parametrize("stops", [(1,), (13,), (26,), (9, 1, 12)])
def test_a_stopped_run_goes_on_to_the_same_bits(
    stops: tuple[int, ...],
    optimizer: str,
    whole,  # type: ignore[no-untyped-def]
    dataset: Dataset,
    tmp_path: Path,
) -> None:
    stage = STAGES[optimizer]
    for steps in stops:
        assert train_tiny(dataset, tmp_path, stop_after=steps, stage=stage) is None
    task = train_tiny(dataset, tmp_path, stage=stage)
    expected, folder = whole[optimizer]
    for key, value in expected.state_dict().items():
        assert torch.equal(task.state_dict()[key], value), key
    drop = {"seconds", "stage"}  # the clock and the name of the folder
    rows, expected_rows = (
        [{k: v for k, v in row.items() if k not in drop} for row in read_log(where / "log.jsonl")]
        for where in (tmp_path, folder)
    )
    assert rows == expected_rows


@pytest.mark.parametrize("optimizer", STAGES)
def test_training_lowers_the_loss(optimizer: str, whole) -> None:  # type: ignore[no-untyped-def]
    rows = read_log(whole[optimizer][1] / "log.jsonl")
    assert rows[1]["loss"] < rows[0]["loss"]


@pytest.mark.parametrize("select", ["weighted_loss", "accuracy", "balanced_accuracy"])
def test_the_best_epoch_by_the_named_metric_is_kept(
    select: str, dataset: Dataset, tmp_path: Path
) -> None:
    stage = replace(STAGE, phases=(Phase(4, 32, 8),), lr=0.2, select=select)
    task = train_tiny(dataset, tmp_path, stage=stage)
    assert task is not None
    values = [row["validation"][select] for row in read_log(tmp_path / "log.jsonl")]
    assert len(set(values)) > 1
    rows, target = dataset.rows("validation"), torch.from_numpy(dataset.labels("validation"))
    images = to_device(dataset, torch.device("cpu"))
    logits = predict_logits(task.model, images, rows, 32, torch.float32)
    right = logits.argmax(1) == target
    found = {
        "weighted_loss": float(weighted_cross_entropy(logits, target, torch.arange(1.0, 9.0))),
        "accuracy": float(right.double().mean()),
        "balanced_accuracy": float(
            torch.stack(
                [right[target == label].double().mean() for label in target.unique()]
            ).mean()
        ),
    }
    best = min(values) if select == "weighted_loss" else max(values)
    assert found[select] == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("stops", [(), (9, 9)])
def test_training_ends_after_epochs_without_improvement(
    stops: tuple[int, ...], dataset: Dataset, tmp_path: Path
) -> None:
    stage = replace(STAGE, phases=(Phase(12, 32, 8),), lr=0.2, early_stop=2)
    for steps in stops:
        assert train_tiny(dataset, tmp_path, stop_after=steps, stage=stage) is None
    train_tiny(dataset, tmp_path, stage=stage)
    values = [row["validation"]["balanced_accuracy"] for row in read_log(tmp_path / "log.jsonl")]
    assert len(values) < 12
    improved = [number == 0 or value > max(values[:number]) for number, value in enumerate(values)]
    assert improved[-2:] == [False, False]
    assert not any(improved[n : n + 2] == [False, False] for n in range(len(values) - 2))
    train_tiny(dataset, tmp_path, stage=stage)  # an ended training does not begin again
    assert len(read_log(tmp_path / "log.jsonl")) == len(values)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_task_gives_the_same_losses(dataset: Dataset, tmp_path: Path) -> None:
    for name in ("plain", "compiled"):
        compiled = name == "compiled"
        train_tiny(dataset, tmp_path / name, dropout=0.0, stage=SHORT, compiled=compiled)
    plain, compiled_ = (read_log(tmp_path / name / "log.jsonl") for name in ("plain", "compiled"))
    for row, other in zip(plain, compiled_, strict=True):
        assert other["loss"] == pytest.approx(row["loss"], rel=1e-3)


def test_a_damaged_log_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"step": 1}\n[[[\n')
    with pytest.raises(InputError, match=r"log\.jsonl, line 2"):
        read_log(tmp_path / "log.jsonl")


def test_a_state_of_other_settings_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    assert train_tiny(dataset, tmp_path, stop_after=1) is None
    with pytest.raises(InputError, match="other settings"):
        train_tiny(dataset, tmp_path, stage=Stage(**{**vars(STAGE), "lr": 0.1}))
    with pytest.raises(InputError, match="precision"):
        train_tiny(dataset, tmp_path, precision=torch.bfloat16)
    with pytest.raises(InputError, match="teacher"):
        train_tiny(dataset, tmp_path, teacher_seed=5)


def test_a_truncated_state_is_refused_by_name(dataset: Dataset, tmp_path: Path) -> None:
    assert train_tiny(dataset, tmp_path, stop_after=1) is None
    state = tmp_path / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"state\.safetensors is damaged or no safetensors"):
        train_tiny(dataset, tmp_path)


def test_a_state_with_one_wrong_bit_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    assert train_tiny(dataset, tmp_path, stop_after=1) is None
    state = tmp_path / "state.safetensors"
    content = bytearray(state.read_bytes())
    content[-9] ^= 1
    state.write_bytes(content)
    with pytest.raises(InputError, match=r"state\.safetensors is damaged"):
        train_tiny(dataset, tmp_path)


def test_two_processes_give_the_losses_of_one(sample: Path, tmp_path: Path) -> None:
    script = Path(__file__).parent / "train_tiny.py"
    cache = tmp_path / "cache"
    dataset = prepare_dataset(sample, 32, cache_folder=cache)
    train_tiny(dataset, tmp_path / "one", dropout=0.0, stage=SHORT)
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    done = subprocess.run(
        [sys.executable, *words, str(sample), str(cache), str(tmp_path / "two")],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = (read_log(tmp_path / name / "log.jsonl") for name in ("one", "two"))
    assert len(one) == len(two) == 2
    for row, other in zip(one, two, strict=True):
        assert set(row["terms"]) == set(other["terms"])
        for name, value in row["terms"].items():
            assert other["terms"][name] == pytest.approx(value, rel=1e-3, abs=1e-6), (
                row["epoch"],
                name,
            )
        assert other["validation"] == pytest.approx(row["validation"], rel=1e-2)


def test_phases_are_cut_into_epochs_with_fractions() -> None:
    plan = plan_epochs((Phase(1.5, 64, 10), Phase(1, 96, 20, views=4)), 105)
    assert [(e.steps, e.before, e.phase.size) for e in plan] == [
        (10, 0, 64),
        (5, 10, 64),
        (5, 15, 96),
    ]
    assert [epoch.last_size for epoch in plan] == [False, False, True]


def test_plateau_lowers_the_rate_after_patience_and_stops_at_the_floor() -> None:
    stage = Stage((Phase(9, 32, 1),), lr=1.0, patience=1, lr_floor=0.05)
    rate, epoch = LearningRate(stage), plan_epochs(stage.phases, 1)[0]
    seen = []
    for loss in (3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0):
        rate.epoch_ended(loss)
        seen.append(round(rate.at(0, epoch), 4))
    assert seen == [1.0, 1.0, 1.0, 0.1, 0.1, 0.05, 0.05]


def test_cosine_rises_then_falls_to_zero_within_each_phase() -> None:
    stage = Stage(
        (Phase(1, 32, 1), Phase(1, 32, 1, lr_scale=0.5)), lr=1.0, schedule="cosine", warmup=0.1
    )
    plan, rate = plan_epochs(stage.phases, 100), LearningRate(stage)
    for epoch, highest in zip(plan, (1.0, 0.5), strict=True):
        values = [rate.at(step, epoch) for step in range(100)]
        assert max(values) == pytest.approx(highest)
        assert values.index(max(values)) == 10
        assert values[-1] < 0.001 * highest
