"""Debian's packages: what keeps them from being fetched is said, and the system stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.debian import missing_tools, own_architecture, unpack_packages
from runtimes.errors import InputError

needs_apt = pytest.mark.skipif(bool(missing_tools()), reason=missing_tools())


def test_without_apt_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get, dpkg" in missing_tools()
    with pytest.raises(InputError, match="it needs Debian's apt-get, dpkg"):
        unpack_packages(tmp_path / "out", "trixie", "amd64", ("adb",))
    assert not (tmp_path / "out").exists()


@needs_apt
def test_a_mirror_that_does_not_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBIAN_MIRROR", "http://127.0.0.1:9/nobody")
    lists = sorted(Path("/var/lib/apt/lists").iterdir())
    with pytest.raises(InputError, match=r"`apt-get -qq update …` failed \(.*127\.0\.0\.1"):
        unpack_packages(tmp_path / "out", "trixie", own_architecture(), ("adb",))
    assert list((tmp_path / "out").iterdir()) == []
    assert sorted(Path("/var/lib/apt/lists").iterdir()) == lists


@needs_apt
def test_this_architecture_has_a_name() -> None:
    assert own_architecture() in ("amd64", "arm64", "armhf", "i386", "riscv64")
