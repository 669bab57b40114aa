"""What has to be so in an .apk that Gradle built: pages of 16 KB, permissions, the model."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from android_demo.check.tools import Tools, run
from runtimes.errors import InputError

PAGE = 16 * 1024
_WIDE = ("arm64-v8a", "x86_64")  # phones with 16 KB pages have 64 bits
_LIBRARY = re.compile(r"lib/([\w-]+)/[^/]+\.so")
_LOAD = 1  # PT_LOAD


@dataclass(frozen=True)
class Library:
    """A native library in an .apk.

    Attributes:
        name: its path there, such as "lib/arm64-v8a/libLiteRt.so".
        stored: whether it is uncompressed, as what is mapped from the .apk has to be.
        offset: where its bytes begin.
        alignment: the smallest of its loadable segments; 0 where it has none.
    """

    name: str
    stored: bool
    offset: int
    alignment: int

    def faults(self) -> list[str]:
        """What keeps it from a phone with pages of 16 KB, in words."""
        if not self.stored:
            return [f"{self.name} is compressed; useLegacyPackaging has to be false"]
        faults = []
        if self.offset % PAGE:
            faults.append(f"{self.name} begins at {self.offset}, no multiple of {PAGE}")
        if self.alignment % PAGE or not self.alignment:
            faults.append(
                f"{self.name} has segments aligned to {self.alignment} bytes, expected {PAGE}: "
                "take a newer version of the library it comes from"
            )
        return faults


def built_libraries(apk: Path) -> list[Library]:
    """Returns the native libraries of the processors that phones with 16 KB pages have.

    Raises:
        InputError: it is no .apk, or a library in it is none.
    """
    try:
        with zipfile.ZipFile(apk) as archive:
            if "AndroidManifest.xml" not in archive.namelist():
                raise InputError(f"{apk}: no AndroidManifest.xml in it. Name the .apk.")
            return [
                _library(apk, archive, item)
                for item in archive.infolist()
                if (found := _LIBRARY.fullmatch(item.filename)) and found[1] in _WIDE
            ]
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise InputError(
            f"{apk}: it cannot be read as an .apk ({error}). Build it again."
        ) from error


def built_faults(apk: Path) -> list[str]:
    """Returns in words what is wrong with its libraries and its model; [] if nothing is.

    Raises:
        InputError: it is no .apk.
    """
    libraries = built_libraries(apk)
    faults = [fault for library in libraries for fault in library.faults()]
    if not any(library.name.startswith("lib/arm64-v8a/") for library in libraries):
        faults.append("no library for arm64-v8a: LiteRT is not in it, so no phone runs the model")
    with zipfile.ZipFile(apk) as archive:
        models = [item for item in archive.infolist() if item.filename.endswith(".tflite")]
    if len(models) != 1 or models[0].compress_type != zipfile.ZIP_STORED:
        faults.append(f"{len(models)} .tflite in it, expected one, uncompressed")
    return faults


def permission_faults(tools: Tools, apk: Path) -> list[str]:
    """Returns in words which of Android's permissions it asks for beside the camera.

    Raises:
        InputError: aapt2 cannot read it.
    """
    told = run([*tools.program("aapt2"), "dump", "badging", apk], env=tools.environment())
    asked = set(re.findall(r"^uses-permission[\w-]*: name='(android\.[^']+)'", told, re.MULTILINE))
    extra = sorted(asked - {"android.permission.CAMERA"})
    return [f"it asks for {', '.join(extra)}; the camera is all that it may"] if extra else []


def _library(apk: Path, archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> Library:
    with apk.open("rb") as file:
        file.seek(item.header_offset)
        name, extra = struct.unpack("<HH", file.read(30)[26:30])
    return Library(
        item.filename,
        item.compress_type == zipfile.ZIP_STORED,
        item.header_offset + 30 + name + extra,
        _alignment(f"{apk}: {item.filename}", archive.read(item)),
    )


def _alignment(where: str, content: bytes) -> int:
    """The smallest alignment of the loadable segments of a 64-bit little-endian ELF file."""
    if content[:6] != b"\x7fELF\x02\x01" or len(content) < 64:
        raise InputError(f"{where} is no 64-bit library. Build the .apk again.")
    (table,) = struct.unpack_from("<Q", content, 0x20)
    size, count = struct.unpack_from("<HH", content, 0x36)
    try:
        heads = [struct.unpack_from("<IIQQQQQQ", content, table + size * i) for i in range(count)]
    except struct.error as error:
        raise InputError(f"{where} is cut short. Build the .apk again.") from error
    return min((head[7] for head in heads if head[0] == _LOAD), default=0)
