"""Debian's packages: what keeps them from being fetched is said, and the system stays as it is."""

from __future__ import annotations

import os
import subprocess
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


@needs_apt
@pytest.mark.skipif(not Path("/usr/bin/dpkg-deb").is_file(), reason="needs dpkg-deb")
def test_packages_are_unpacked_into_a_folder_named_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _package(tmp_path / "greeting.deb", tmp_path / "made")
    tools = tmp_path / "tools"
    tools.mkdir()
    # In the place of the network: `apt-get download` puts the package where it is asked to.
    script = f'#!/bin/sh\ncase "$*" in *download*) cp {tmp_path}/greeting.deb . ;; esac\n'
    (tools / "apt-get").write_text(script)
    (tools / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    unpack_packages(Path("here") / "system", "trixie", "amd64", ("greeting",))
    assert (tmp_path / "here" / "system" / "usr" / "greeting.txt").read_text() == "hello"


def _package(path: Path, root: Path) -> None:
    (root / "DEBIAN").mkdir(parents=True)
    (root / "usr").mkdir()
    (root / "usr" / "greeting.txt").write_text("hello")
    fields = ("Package: greeting", "Version: 1", "Architecture: all", "Maintainer: nobody <n@o>")
    (root / "DEBIAN" / "control").write_text("\n".join((*fields, "Description: a test", "")))
    subprocess.run(["dpkg-deb", "--build", str(root), str(path)], check=True, capture_output=True)
