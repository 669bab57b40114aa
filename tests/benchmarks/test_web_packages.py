"""The browser's runtimes: an archive counts only by its hash, and never decides a path."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from benchmarks.web import packages as module
from benchmarks.web.packages import PACKAGES, Package, fetch_packages, read_packages, unpack
from runtimes.errors import InputError

from .web_records import small_packages


def archive(*members: tuple[str, bytes], link: str = "") -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as made:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
        if link:
            member = tarfile.TarInfo(link)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            made.addfile(member)
    return content.getvalue()


def package(content: bytes, **changed: dict[str, tuple[str, str]]) -> Package:
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    return Package("some", "1.0.0", f"sha512-{digest}", {"package/a.js": "kept.js"}, **changed)


def test_only_named_members_are_written_under_names_of_our_own(tmp_path: Path) -> None:
    content = archive(
        ("../../escaped.js", b"x"), ("/etc/escaped", b"x"), ("package/a.js", b"a"), ("b", b"b")
    )
    inner = tmp_path / "inner"
    inner.mkdir()
    unpack(package(content), content, inner)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == [
        "inner",
        "inner/kept.js",
    ]
    assert (inner / "kept.js").read_bytes() == b"a"


def test_another_archive_than_the_pinned_one_is_not_opened(tmp_path: Path) -> None:
    good, other = archive(("package/a.js", b"a")), archive(("package/a.js", b"b"))
    with pytest.raises(InputError, match="not the one that was tested"):
        unpack(package(good), other, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (archive(("package/b.js", b"a")), "is not in the archive"),
        (archive(link="package/a.js"), "no plain file"),
        (archive(("package/a.js", b"a"), ("package/a.js", b"b")), "twice"),
    ],
)
def test_a_member_that_is_missing_or_no_file_is_an_error(
    tmp_path: Path, content: bytes, named: str
) -> None:
    with pytest.raises(InputError, match=named):
        unpack(package(content), content, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_replacement_stands_exactly_once(tmp_path: Path) -> None:
    content = archive(("package/a.js", b'import "x"; y()'))
    unpack(package(content, replaced={"kept.js": ('"x"', '"./x.js"')}), content, tmp_path)
    assert (tmp_path / "kept.js").read_bytes() == b'import "./x.js"; y()'
    with pytest.raises(InputError, match="0 times, not 1"):
        unpack(package(content, replaced={"kept.js": ("none", "")}), content, tmp_path)


def test_what_is_missing_old_or_changed_is_not_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "my runtimes"
    empty.mkdir()
    with pytest.raises(InputError) as caught:
        read_packages(empty)
    own = f"Fetch them once: python -m benchmarks web --fetch --folder '{empty}'"
    assert str(caught.value).endswith(own)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"Fetch them once: python -m benchmarks web --fetch$"):
        read_packages(Path(".web"))
    folder = small_packages(tmp_path / "web")
    names = [name for each in PACKAGES for name in each.members.values()]
    assert read_packages(folder) == {name: name.encode() for name in names}
    (folder / "ort.mjs").write_bytes(b"changed")
    with pytest.raises(InputError, match=r"ort\.mjs is not what was fetched"):
        read_packages(folder)
    record = json.loads((folder / "packages.json").read_text())
    record["packages"] = ["@litertjs/core@2.5.2"]
    (folder / "packages.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="does not hold"):
        read_packages(folder)


def test_without_npm_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="Install Node"):
        fetch_packages(tmp_path / "web")
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"holds something else \(thesis\.tex\)"):
        fetch_packages(tmp_path)


def test_what_npm_says_is_passed_on(tmp_path: Path) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error code E404' >&2\nexit 1\n")
    npm.chmod(0o755)
    with pytest.raises(InputError, match=r"`npm pack onnxruntime-web@.*npm error code E404"):
        module.fetch_archive(PACKAGES[2], str(npm))
