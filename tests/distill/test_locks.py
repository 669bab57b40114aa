"""Folders that one process at a time writes into."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.locks import alone_in, claim
from runtimes.errors import InputError


def test_a_refused_run_leaves_no_new_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError), alone_in(tmp_path / "new" / "run", "busy"):
        raise InputError("refused")
    assert list(tmp_path.iterdir()) == []


def test_what_was_written_and_what_was_there_stays(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    with alone_in(kept / "new" / "run", "busy"):
        (kept / "new" / "mine").touch()
    assert [path.name for path in kept.iterdir()] == ["new"]
    assert [path.name for path in (kept / "new").iterdir()] == ["mine"]


def test_a_folder_that_another_holds_is_refused_and_kept(tmp_path: Path) -> None:
    with claim(tmp_path), pytest.raises(InputError, match="busy"), alone_in(tmp_path, "busy"):
        pass
    assert tmp_path.is_dir()
