"""The paper's table as a list of jobs: stops, goes on, is shared by processes, and adds up."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from distill.tables.jobs import FAILED_FILE, TEACHER, Job, list_jobs
from distill.tables.report import markdown
from runtimes.errors import InputError
from runtimes.locks import claim

BUDGET = """
name: tiny
purpose: a test
cache: 40
evaluation_size: 40
images_per_class: 8
teacher:
  phases: [{epochs: 1, size: 40, batch: 16}]
  lr: 0.001
  optimizer: adamw
  weights: random
head: {epochs: 2, batch: 16, size: 40, images: 40, milestones: [1]}
student:
  phases: [{epochs: 1, size: 40, batch: 16}, {epochs: 0.5, size: 40, batch: 16, views: 4}]
  lr: 0.001
  optimizer: adamw
  schedule: cosine
  weights: random
"""
PAIR = "shufflenet_v2_x1_0:shufflenet_v2_x0_5"
ROWS = ("teacher", "no_kd", "blkd", "ssd_kd")


def _words(folder: Path, sample: Path, *more: str) -> list[str]:
    (folder / "tiny.yaml").write_text(BUDGET)
    words = [sys.executable, "-m", "distill", "tables", "--data", str(sample), "--pair", PAIR]
    words += ["--budget", str(folder / "tiny.yaml"), "--runs", str(folder / "runs")]
    words += ["--out", str(folder / "out"), "--cache-dir", str(folder / "cache")]
    return [*words, "--methods", "no_kd,blkd,ssd_kd", "--splits", "lesion", "--seeds", "2", *more]


def _run(words: list[str]):  # type: ignore[no-untyped-def]
    return subprocess.run(words, capture_output=True, text=True, timeout=400)


@pytest.fixture(scope="module")
def table(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole table, made by two processes at once after one was killed at work."""
    folder = tmp_path_factory.mktemp("tables")
    words = _words(folder, sample)
    first = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    state = folder / "runs" / "lesion-teacher" / "log.jsonl"
    limit = time.monotonic() + 200
    while not state.exists() and first.poll() is None and time.monotonic() < limit:
        time.sleep(0.2)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    both = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=400)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    return folder


def _rows(table: Path) -> dict[str, dict]:  # type: ignore[type-arg]
    document = json.loads((table / "out" / "table.json").read_text())
    return {row["method"]: row for row in document["table"]["lesion"]}


def test_every_row_is_there_with_its_seeds(table: Path) -> None:
    rows = _rows(table)
    assert tuple(rows) == ROWS
    assert [rows[name]["seeds"] for name in ROWS] == [[2021], [2021, 2022], [2021, 2022],
                                                      [2021, 2022]]  # fmt: skip
    for name in ROWS:
        assert rows[name]["waiting"] == []
        for run in rows[name]["runs"]:
            assert run["training"]["images"] <= 8 * 8


def test_a_row_is_the_mean_of_its_runs_and_a_difference_that_of_the_rows(table: Path) -> None:
    rows = _rows(table)
    for name in ROWS[1:]:
        found = [
            json.loads((table / "runs" / f"lesion-{name}-seed{seed}" / "metrics.json").read_text())
            for seed in (2021, 2022)
        ]
        values = [about["metrics"]["balanced_accuracy"]["value"] for about in found]
        row = rows[name]
        assert row["metrics"]["balanced_accuracy"]["value"] == pytest.approx(np.mean(values))
        spread = row["deviation_over_seeds"]["balanced_accuracy"]
        assert spread == pytest.approx(np.std(values, ddof=1))
    difference = rows["ssd_kd"]["minus"]["no_kd"]["balanced_accuracy"]
    values = [rows[name]["metrics"]["balanced_accuracy"]["value"] for name in ("no_kd", "ssd_kd")]
    assert difference["value"] == pytest.approx(values[1] - values[0])
    assert difference["low"] <= difference["value"] <= difference["high"]


def test_all_seeds_share_the_split_and_the_teacher(table: Path) -> None:
    runs = sorted((table / "runs").glob("lesion-*"))
    assert len(runs) == 7
    splits = {json.loads((run / "split.json").read_text())["sha256"] for run in runs}
    assert len(splits) == 1
    students = [(run / "student.safetensors").read_bytes() for run in runs if "seed" in run.name]
    assert len(set(students)) == 6


def test_the_table_says_what_differs_from_the_paper(table: Path) -> None:
    text = (table / "out" / "table.md").read_text()
    for words in ("synthetic", "at most 8 of each class", "40 px", "0.846 / 0.843 / 0.796 / 0.977"):
        assert words in text, words
    assert (table / "out" / "table.png").read_bytes()[:4] == b"\x89PNG"
    assert (table / "out" / "split-lesion.json").is_file()


def test_a_finished_table_is_written_again_without_training(table: Path, sample: Path) -> None:
    before = (table / "out" / "table.json").read_bytes()
    weights = table / "runs" / "lesion-no_kd-seed2021" / "student.safetensors"
    changed = weights.stat().st_mtime_ns
    done = _run(_words(table, sample))
    assert done.returncode == 0, done.stderr
    assert weights.stat().st_mtime_ns == changed
    assert (table / "out" / "table.json").read_bytes() == before
    listed = _run(_words(table, sample, "--list"))
    assert listed.stdout.count("done") == 7


def test_a_table_of_another_protocol_takes_other_folders(table: Path, sample: Path) -> None:
    before = (table / "out" / "table.json").read_bytes()
    words = _words(table, sample)
    (table / "tiny.yaml").write_text(BUDGET.replace("lr: 0.001", "lr: 0.002"))
    done = _run(words)
    assert done.returncode == 2
    assert "another budget" in done.stderr
    fewer = _run(_words(table, sample, "--methods", "no_kd"))
    assert fewer.returncode == 2
    assert "would be lost" in fewer.stderr
    other = _run(_words(table, sample, "--seed", "5", "--runs", str(table / "elsewhere")))
    assert other.returncode == 2
    assert "another split" in other.stderr
    assert (table / "out" / "table.json").read_bytes() == before


def test_a_foreign_or_damaged_table_is_not_replaced(
    table: Path, sample: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(table / "out", out)
    path = out / "table.json"
    rows = '{"budget": 1, "command": 1, "table": {"lesion": [{"method": ["x"], "seeds": [1]}]}}'
    for text in (
        '{"table": {}}',
        "[1, 2]",
        rows.replace("[1]", '"x"'),
        rows.replace("[1]", "1"),
        "{",
    ):
        path.write_text(text)
        done = _run([*_words(table, sample), "--out", str(out)])
        assert done.returncode == 2, done.stderr
        assert "no table of this project" in done.stderr
        assert path.read_text() == text


def test_a_finished_run_that_does_not_say_what_it_is_gets_no_row(
    table: Path, sample: Path, tmp_path: Path
) -> None:
    shutil.copytree(table / "runs", tmp_path / "runs")
    (tmp_path / "runs" / "lesion-blkd-seed2021" / "recipe.yaml").unlink()
    done = _run([*_words(table, sample), "--runs", str(tmp_path / "runs")])
    assert done.returncode == 2
    assert "recipe.yaml is missing" in done.stderr


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--pair", "resnet18:mobilnet_v2", "unknown architecture 'mobilnet_v2'"),
        ("--seeds", "0", "expected 1 to 100"),
        ("--seeds", "1000000", "expected 1 to 100"),
        ("--seed", str(2**63), "is no seed"),
        ("--seed", str(2**63 - 1), "the last seed"),
    ],
)
def test_a_wrong_option_leaves_nothing_behind(
    option: str, value: str, message: str, sample: Path, tmp_path: Path
) -> None:
    done = _run(_words(tmp_path, sample, option, value))
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "out").exists()


def test_a_time_budget_stops_a_table_and_says_how_to_go_on(sample: Path, tmp_path: Path) -> None:
    done = _run(_words(tmp_path, sample, "--time-budget", "0.1s"))
    assert done.returncode == 0
    assert "The same command goes on" in done.stderr


def test_a_diverged_row_is_told_and_the_others_are_trained(sample: Path, tmp_path: Path) -> None:
    words = _words(tmp_path, sample, "--methods", "no_kd", "--seeds", "1")
    text = BUDGET.replace("lr: 0.001\n  optimizer: adamw\n  schedule", "lr: 1.0e+30\n  schedule")
    assert text != BUDGET
    (tmp_path / "tiny.yaml").write_text(text)
    done = _run(words)
    assert done.returncode == 1, done.stderr
    assert "1 of 2 jobs have no result (lesion-no_kd-seed2021)" in done.stderr
    row = _rows(tmp_path)["no_kd"]
    assert "learning rate" in row["failed"]["2021"]
    assert (tmp_path / "runs" / "lesion-no_kd-seed2021" / FAILED_FILE).is_file()
    assert "diverged" in (tmp_path / "out" / "table.md").read_text()


def test_jobs_come_in_the_order_of_what_a_short_table_should_show() -> None:
    jobs = list_jobs(("lesion", "paper"), ("no_kd", "drkd", "ssd_kd"), (5, 6), ("ssd_kd",))
    assert [(job.split, job.method, job.seed) for job in jobs] == [
        *(("lesion", method, 5) for method in (TEACHER, "no_kd", "ssd_kd", "drkd")),
        *(("paper", method, 5) for method in (TEACHER, "no_kd", "ssd_kd", "drkd")),
        ("lesion", "ssd_kd", 6),
        ("paper", "ssd_kd", 6),
    ]
    with pytest.raises(InputError, match=r"no row 'kd'.*no_kd"):
        list_jobs(("lesion",), ("kd",), (1,), ())


def test_a_job_belongs_to_one_process_at_a_time(tmp_path: Path) -> None:
    with claim(tmp_path / "lock") as mine:
        assert mine
        with claim(tmp_path / "lock") as other:
            assert not other
    with claim(tmp_path / "lock") as again:
        assert again


def test_a_row_without_a_finished_run_waits() -> None:
    row = {"method": "blkd", "paper": {}, "seeds": [], "waiting": [1], "failed": {}}
    document = {"budget": {"name": "x", "purpose": "y"}, "command": "z",
                "differences_to_the_paper": [], "table": {"lesion": [row]}}  # fmt: skip
    assert "| blkd | 0 | waits |" in markdown(document)
    assert Job("lesion", "blkd", 1).state(Path("nowhere")) == "waits"
