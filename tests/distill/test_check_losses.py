"""The verb check-losses: errors by term, the gate, and files that are not of the layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from distill.losses.golden import OUTPUTS, check_golden
from runtimes.console import Verb, run_program
from runtimes.errors import InputError

GOLDEN = Path(__file__).with_name("golden_losses.npz")
VERBS = [Verb("check-losses", "compares the loss terms", "distill.commands.check_losses")]


def check(*words: object) -> int:
    return run_program("distill", "", VERBS, ["check-losses", *map(str, words)])


def changed(folder: Path, change: Callable[[dict[str, np.ndarray]], object]) -> Path:
    with np.load(GOLDEN) as golden:
        arrays = dict(golden)
    change(arrays)
    path = folder / "golden.npz"
    np.savez(path, **arrays)
    return path


def test_right_file_passes_and_every_term_is_printed(capsys: pytest.CaptureFixture) -> None:
    assert check(GOLDEN) == 0
    printed = capsys.readouterr().out
    assert all(f"\n{term} " in printed for term in OUTPUTS)
    assert "case0" in printed
    assert "case1" in printed


@pytest.mark.parametrize("term", OUTPUTS)
def test_one_wrong_value_fails_and_is_named(term: str, tmp_path: Path, capsys) -> None:
    def spoil(arrays: dict[str, np.ndarray]) -> None:
        key = f"case1/out/{term}"
        arrays[key] = arrays[key].astype(float) * (1 + 1e-5)

    path = changed(tmp_path, spoil)
    assert check(path) == 1
    assert f"case1/out/{term} 1.0e-05" in capsys.readouterr().err


@pytest.mark.parametrize("value", [np.nan, np.inf, np.zeros(3)])
def test_value_without_a_number_or_of_another_shape_fails(value, tmp_path: Path, capsys) -> None:
    path = changed(tmp_path, lambda arrays: arrays.update({"case0/out/kd": np.array(value)}))
    assert check(path, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["failed"] == ["case0/out/kd"]
    assert report["relative_errors"]["case0"]["kd"] is None


def test_input_that_is_no_number_fails(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = changed(tmp_path, lambda arrays: arrays["case0/in/pool_s"].fill(np.nan))
    assert check(path, "--json") == 1
    failed = json.loads(capsys.readouterr().out)["failed"]
    assert {"case0/out/rkd_angle", "case0/out/drkd", "case0/out/total"} <= set(failed)


def test_errors_below_the_tolerance_pass(tmp_path: Path) -> None:
    def nudge(arrays: dict[str, np.ndarray]) -> None:
        arrays["case0/out/kd"] = arrays["case0/out/kd"] * (1 + 5e-7)

    assert check(changed(tmp_path, nudge)) == 0


def test_json_holds_the_error_of_every_term(capsys: pytest.CaptureFixture) -> None:
    assert check(GOLDEN, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["passed"] is True
    assert set(report["relative_errors"]) == {"case0", "case1"}
    assert set(report["relative_errors"]["case0"]) == set(OUTPUTS)


BAD_LAYOUTS = {
    "missing output": (lambda a: a.pop("case0/out/ss"), "lacks case0/out/ss"),
    "missing input": (lambda a: a.pop("case1/in/proj_t"), "lacks case1/in/proj_t"),
    "unknown name": (lambda a: a.update({"case0/out/magic": np.ones(1)}), "case0/out/magic"),
    "other key": (lambda a: a.update({"weights": np.ones(1)}), "'weights'"),
    "text": (lambda a: a.update({"case0/out/kd": np.array("x")}), "expected numbers"),
    "shape": (lambda a: a.update({"case0/in/pool_s": np.ones((7, 4))}), r"expected \(n, D_s\)"),
    "views": (lambda a: a.update({"case0/in/target": np.array([0])}), "four views"),
    "class": (lambda a: a.update({"case0/in/target": np.array([0, 9])}), "from 0 to 3"),
    "no arrays": (lambda a: a.clear(), "no arrays"),
}


@pytest.mark.parametrize("fault", BAD_LAYOUTS)
def test_other_layout_is_bad_input(fault: str, tmp_path: Path) -> None:
    change, message = BAD_LAYOUTS[fault]
    with pytest.raises(InputError, match=message):
        check_golden(changed(tmp_path, change))


@pytest.mark.parametrize("content", ["empty", "random", "truncated", "pickled", "bare"])
def test_damaged_file_is_bad_input_and_never_unpickled(content: str, tmp_path: Path) -> None:
    path = tmp_path / "golden.npz"
    if content == "pickled":
        np.savez(path, **{"case0/in/target": np.array([print], dtype=object)})
    elif content == "bare":
        with path.open("wb") as stream:
            np.save(stream, np.ones(3))
    else:
        whole = GOLDEN.read_bytes()
        parts = {"empty": b"", "random": bytes(range(256)) * 4, "truncated": whole[:-500]}
        path.write_bytes(parts[content])
    assert check(path) == 2


def test_missing_file_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert check(tmp_path / "none.npz") == 2
    assert "none.npz" in capsys.readouterr().err
