"""Compiles Kotlin, once for each state of its sources."""

from __future__ import annotations

import hashlib
import os
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

from android_demo.check.tools import Tools, cache_folder, run
from runtimes.atomic import replacing_file
from runtimes.console import note

DEMO = Path(__file__).resolve().parents[1]
CORE = DEMO / "core" / "src" / "main" / "kotlin"
CORE_TESTS = DEMO / "core" / "src" / "test" / "kotlin"
_HEAP = "-Xmx768m"
_KEPT_SECONDS = 24 * 3600


def built_folder() -> Path:
    """Where what was compiled is kept from one run to the next."""
    return cache_folder().parent / "android-built"


def compile_kotlin(tools: Tools, name: str, sources: Path, libraries: Sequence[Path] = ()) -> Path:
    """Returns the jar of all Kotlin files below `sources`; an unchanged one is not made again.

    Args:
        tools: with the compiler.
        name: of the jar.
        sources: a folder.
        libraries: jars that the sources stand on.

    Raises:
        InputError: the compiler found a fault, or a warning.
    """
    files = sorted(sources.rglob("*.kt"))
    digest = hashlib.sha256(tools.stdlib.name.encode())
    for file in (*files, *libraries):
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    jar = built_folder() / f"{name}-{digest.hexdigest()[:16]}.jar"
    if zipfile.is_zipfile(jar):  # an earlier one may be cut short, by a full disk or a power cut
        return jar
    note(f"compiling {len(files)} Kotlin files of {name}")
    path = os.pathsep.join(map(str, (tools.stdlib, *libraries)))
    # The last class format that Debian's dexer reads; lambdas as classes for the same reason.
    command = ["java", _HEAP, "-cp", tools.compiler, "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"]
    command += ["-no-stdlib", "-no-reflect", "-jvm-target", "1.8", "-Werror"]
    command += ["-Xlambdas=class", "-Xsam-conversions=class", "-Xstring-concat=inline"]
    with replacing_file(jar) as half:
        run([*command, "-classpath", path, "-d", half, *files])
    for old in jar.parent.glob(f"{name}-*.jar"):
        # another checkout may be running a younger one
        if len(old.stem) == len(jar.stem) and time.time() - old.stat().st_mtime > _KEPT_SECONDS:
            old.unlink(missing_ok=True)
    return jar
