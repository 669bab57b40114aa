"""Where a result comes from is told even where the files were carried without their checkout."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from distill import provenance as module


def _outside(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_checkout(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(128, "git")

    monkeypatch.setattr(module.subprocess, "run", no_checkout)


def test_outside_a_checkout_the_variable_names_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    _outside(monkeypatch)
    monkeypatch.setenv(module.COMMIT_VARIABLE, "abc123")
    assert module.provenance()["git_commit"] == "abc123"


def test_outside_a_checkout_without_it_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    _outside(monkeypatch)
    monkeypatch.delenv(module.COMMIT_VARIABLE, raising=False)
    assert module.git_commit() is None


def test_in_a_checkout_the_variable_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("git") is None or not (Path(module.__file__).parents[1] / ".git").exists():
        pytest.skip("this is no checkout")
    monkeypatch.setenv(module.COMMIT_VARIABLE, "abc123")
    commit = module.git_commit()
    assert commit is not None
    assert len(commit.removesuffix("+changes")) == 40
