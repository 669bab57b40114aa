"""Curves read from logs, and the picture drawn from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from distill.curves import draw_curves, read_curves
from runtimes.errors import InputError


def step(epoch: int, number: int, loss: float, **more: Any) -> dict[str, Any]:
    row = {"kind": "step", "stage": "student", "epoch": epoch, "step": number, "loss": loss}
    return {**row, "terms": {"wce": loss / 2}, "lr": 0.1 / number, "seconds": 1.0, **more}


def end(epoch: int, accuracy: float | None, **more: Any) -> dict[str, Any]:
    row = {"kind": "epoch", "stage": "student", "epoch": epoch, "step": 2 * epoch}
    return {**row, "validation": {"accuracy": accuracy}, **more}


def write(folder: Path, *rows: Any, tail: str = "") -> Path:
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + tail)
    return path


def test_steps_are_averaged_over_their_epoch(tmp_path: Path) -> None:
    log = write(tmp_path, step(1, 1, 4.0), step(1, 2, 2.0), end(1, 0.5), step(2, 3, 1.0))
    student = read_curves(log)["student"]
    assert student.losses == {"total": [(1, 3.0), (2, 1.0)], "wce": [(1, 1.5), (2, 0.5)]}
    assert student.validation == {"accuracy": [(1, 0.5)]}
    assert student.rates["learning rate"] == [(0.5, 0.1), (1.0, 0.05), (2.0, 0.1 / 3)]


def test_epoch_row_goes_before_the_mean_of_its_steps(tmp_path: Path) -> None:
    log = write(tmp_path, step(0, 1, 4.0), end(0, 0.5, loss=9.0))
    assert read_curves(log)["student"].losses == {"total": [(1, 9.0)], "wce": [(1, 2.0)]}


def test_epoch_repeated_by_a_resumed_run_counts_as_logged_last(tmp_path: Path) -> None:
    log = write(tmp_path, step(1, 1, 4.0), end(1, 0.2), step(1, 1, 3.0), end(1, 0.6))
    student = read_curves(log)["student"]
    assert student.losses["total"] == [(1, 3.0)]
    assert student.validation["accuracy"] == [(1, 0.6)]


def test_stages_are_kept_apart_in_order(tmp_path: Path) -> None:
    log = write(tmp_path, step(1, 1, 1.0, stage="teacher"), step(1, 1, 2.0))
    assert list(read_curves(log)) == ["teacher", "student"]


def test_values_that_are_no_numbers_are_left_out(tmp_path: Path) -> None:
    log = write(tmp_path, step(1, 1, float("nan")), end(1, None), end(2, 0.5))
    student = read_curves(log)["student"]
    assert "total" not in student.losses
    assert student.validation["accuracy"] == [(2, 0.5)]


def test_line_cut_off_by_a_killed_run_is_left_out(tmp_path: Path) -> None:
    log = write(tmp_path, step(1, 1, 1.0), tail='{"kind": "st')
    assert read_curves(log)["student"].losses["total"] == [(1, 1.0)]


def test_picture_is_drawn(tmp_path: Path) -> None:
    rows = [step(e, 10 * e + s, 100.0 / (e + s)) for e in range(1, 4) for s in range(1, 4)]
    log = write(tmp_path, *rows, *(end(e, 0.1 * e) for e in range(1, 4)), {"kind": "note"})
    draw_curves(log, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.format == "PNG"
        assert picture.size == (600, 900)
        assert len(picture.convert("L").getcolors()) > 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ('{"kind": "note"}\n', "no rows"),
        ('nonsense\n{"kind": "note"}\n', "line 1 is no JSON"),
        ('[1]\n{"kind": "note"}\n', "line 1 is no row"),
        ('{"kind": "step"}\n', "whole number as its epoch"),
    ],
)
def test_other_files_are_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        draw_curves(path, tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()


def test_missing_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jsonl"):
        draw_curves(tmp_path / "none.jsonl", tmp_path / "curves.png")
