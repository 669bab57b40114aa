"""What is checked of an .apk that Gradle built."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

from android_demo.check.__main__ import VERBS
from android_demo.check.built import PAGE, built_faults, built_libraries, permission_faults
from android_demo.check.host import litert_library
from android_demo.check.package import build_package
from android_demo.check.project import read_project
from android_demo.check.tools import Tools, run
from runtimes.console import run_program
from runtimes.errors import InputError

NAME = "lib/arm64-v8a/libLiteRt.so"


def _aligned_library(alignment: int) -> bytes:
    """LiteRT's library of this machine; its last loadable segment is said to be aligned so.

    The others are said to be aligned to pages of 16 KB.
    """
    content = bytearray(litert_library().read_bytes())
    (table,) = struct.unpack_from("<Q", content, 0x20)
    size, count = struct.unpack_from("<HH", content, 0x36)
    places = [table + size * i for i in range(count)]
    places = [place for place in places if struct.unpack_from("<I", content, place)[0] == 1]
    assert len(places) > 1
    for place in places:
        struct.pack_into("<Q", content, place + 48, alignment if place == places[-1] else PAGE)
    return bytes(content[: 1 << 20])


def _apk(path: Path, library: bytes, name: str = NAME, stored: bool = True, shift: int = 0) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("AndroidManifest.xml", b"")
        archive.writestr("assets/a.tflite", b"model")
        item = zipfile.ZipInfo(name)
        item.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
        start = archive.fp.tell() + 30 + len(name) + 4  # type: ignore[union-attr]
        padding = -start % PAGE + shift
        item.extra = struct.pack("<HH", 0xD935, padding) + bytes(padding)  # as zipalign writes it
        archive.writestr(item, library)
    return path


def test_an_aligned_library_is_as_it_has_to_be(tmp_path: Path) -> None:
    apk = _apk(tmp_path / "a.apk", _aligned_library(PAGE))
    (library,) = built_libraries(apk)
    assert (library.name, library.stored, library.alignment) == (NAME, True, PAGE)
    assert apk.read_bytes()[library.offset :][:4] == b"\x7fELF"
    assert built_faults(apk) == []


def test_what_phones_with_large_pages_cannot_load_is_found(tmp_path: Path) -> None:
    good, old = _aligned_library(PAGE), _aligned_library(4096)
    for apk, words in (
        (_apk(tmp_path / "old.apk", old), "aligned to 4096 bytes, expected 16384"),
        (_apk(tmp_path / "moved.apk", good, shift=4096), "no multiple of 16384"),
        (_apk(tmp_path / "small.apk", good, stored=False), "is compressed"),
        (_apk(tmp_path / "other.apk", good, "lib/x86_64/libLiteRt.so"), "no library for arm64-v8a"),
    ):
        (found,) = built_faults(apk)
        assert words in found
    # 32-bit processors have no large pages
    apk = _apk(tmp_path / "narrow.apk", old, "lib/armeabi-v7a/libLiteRt.so")
    assert ["no library for arm64-v8a" in fault for fault in built_faults(apk)] == [True]


def test_a_missing_or_compressed_model_is_found(tmp_path: Path) -> None:
    apk = _apk(tmp_path / "a.apk", _aligned_library(PAGE))
    with zipfile.ZipFile(apk, "a") as archive:
        archive.writestr("assets/b.tflite", b"another")
    assert built_faults(apk) == ["2 .tflite in it, expected one, uncompressed"]
    small = tmp_path / "small.apk"
    with zipfile.ZipFile(apk) as old, zipfile.ZipFile(small, "w") as new:
        for item in old.infolist()[:3]:
            content = old.read(item)
            if item.filename.endswith(".tflite"):
                item.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(item, content)
    assert "1 .tflite in it, expected one, uncompressed" in built_faults(small)


def test_what_is_no_apk_is_named(tmp_path: Path) -> None:
    text = tmp_path / "a.apk"
    text.write_text("no .apk")
    for what in (text, tmp_path / "gone.apk", tmp_path):
        with pytest.raises(InputError, match=r"cannot be read as an \.apk"):
            built_faults(what)
    broken = _apk(tmp_path / "broken.apk", _aligned_library(PAGE), stored=False)
    content = bytearray(broken.read_bytes())
    content[-100_000:-50_000] = bytes(50_000)
    broken.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be read as an \.apk"):
        built_faults(broken)
    with zipfile.ZipFile(text, "w") as archive:
        archive.writestr(NAME, b"")
    with pytest.raises(InputError, match=r"no AndroidManifest\.xml"):
        built_faults(text)
    for content in (b"no library", _aligned_library(PAGE)[:100]):
        with pytest.raises(InputError, match=r"libLiteRt\.so is "):
            built_faults(_apk(tmp_path / "b.apk", content))


def test_the_build_check_has_no_litert_and_asks_for_the_camera_alone(
    tools: Tools, tmp_path: Path
) -> None:
    apk = build_package(tools, read_project(), tmp_path).path
    assert built_faults(apk) == [
        "no library for arm64-v8a: LiteRT is not in it, so no phone runs the model"
    ]
    assert permission_faults(tools, apk) == []
    assert run_program("android_demo.check", "", VERBS, ("built", str(apk))) == 1
    manifest = tmp_path / "AndroidManifest.xml"
    text = manifest.read_text("utf-8")
    asked = '<uses-permission android:name="android.permission.INTERNET" />'
    manifest.write_text(text.replace("<uses-feature", f"{asked}<uses-feature", 1), "utf-8")
    online = tmp_path / "online.apk"
    words = [*tools.program("aapt2"), "link", "-o", str(online), "-I", str(tools.framework)]
    words += ["--manifest", str(manifest), "--min-sdk-version", str(read_project().min_sdk)]
    run([*words, tmp_path / "resources.zip"], env=tools.environment())
    (found,) = permission_faults(tools, online)
    assert "android.permission.INTERNET" in found
