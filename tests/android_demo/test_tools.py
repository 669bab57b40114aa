"""The folder of the demo's tools: fetched without a network, half there, and where it lies."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from android_demo.check.kotlin import compile_kotlin
from android_demo.check.tools import Tools, cache_folder, find_tools, obstacle
from runtimes.errors import InputError


def test_a_relative_cache_folder_counts_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for told in ("", "cache"):
        monkeypatch.setenv("XDG_CACHE_HOME", told)
        assert cache_folder() == tmp_path / ".cache" / "dermport" / "android"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a b"))
    assert cache_folder() == tmp_path / "a b" / "dermport" / "android"


@pytest.mark.parametrize("lookup", ["stdlib", "junit", "android", "framework", "aapt2"])
def test_a_folder_that_lost_something_says_what_to_do(lookup: str, tmp_path: Path) -> None:
    tools = Tools(tmp_path)
    with pytest.raises(InputError, match=r"is missing.*Remove that folder"):
        if lookup == "junit":
            tools.jar("junit4")
        elif lookup == "aapt2":
            tools.program(lookup)
        else:
            getattr(tools, lookup)


def test_without_a_network_nothing_is_left_and_the_message_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (reason := obstacle()) != "":
        pytest.skip(f"the Android demo cannot be built here: {reason}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(InputError, match="Check the network") as told:
        find_tools()
    assert len(str(told.value).splitlines()) == 1
    assert not list((tmp_path / "dermport").iterdir())


@pytest.mark.slow  # the compiler runs twice
def test_a_jar_that_was_cut_short_is_made_again(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a cache"))
    (tmp_path / "Tiny.kt").write_text("fun tiny() = 1\n")
    jar = compile_kotlin(tools, "tiny", tmp_path)
    jar.write_bytes(jar.read_bytes()[:100])
    assert compile_kotlin(tools, "tiny", tmp_path) == jar
    assert zipfile.is_zipfile(jar)
