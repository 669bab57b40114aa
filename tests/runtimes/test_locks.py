"""Folders that one process at a time writes into."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

import pytest

from runtimes import locks
from runtimes.errors import InputError
from runtimes.locks import alone_in, alone_with, claim


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


def test_a_file_of_results_is_one_measurements_alone_and_leaves_no_lock(tmp_path: Path) -> None:
    file = tmp_path / "new" / "phone.json"
    with alone_with(file):
        busy = pytest.raises(InputError, match=r"phone\.json: another measurement .* --json")
        with busy, alone_with(file):
            pass
        with alone_with(file.with_name("web.json")):
            pass
        file.write_text("{}")
    assert [path.name for path in file.parent.iterdir()] == ["phone.json"]
    with pytest.raises(KeyError), alone_with(tmp_path / "other" / "phone.json"):
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_lock_file_that_was_removed_meanwhile_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last holder removes it between opening and locking; a third one makes it anew."""
    path, opened = tmp_path / "lock", []

    def slow_open(path: Path) -> int:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not opened:
            path.unlink()
        opened.append(handle)
        return handle

    monkeypatch.setattr(locks, "_open", slow_open)
    with claim(path) as mine, claim(path) as third:
        assert mine
        assert not third
    assert len(opened) == 3


def test_a_lock_that_cannot_be_opened_again_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last holder removes it, and then nobody may open it: not a descriptor closed twice."""
    lock, right, opened = tmp_path / "lock", os.open, []

    def once(path: Any, *rest: Any) -> int:
        if opened:
            raise PermissionError(errno.EACCES, "Permission denied")
        opened.append(right(path, *rest))
        Path(path).unlink()
        return opened[0]

    monkeypatch.setattr(os, "open", once)
    told = re.escape("cannot be opened or locked (Permission denied)")
    with pytest.raises(InputError, match=told), claim(lock):
        pass
