"""Runs the core on this machine's JVM: compiled with what it needs to reach LiteRT's library."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from android_demo.check.kotlin import CORE, DEMO, compile_kotlin
from android_demo.check.tools import Tools
from runtimes.errors import InputError, MissingDependencyError

_JVM = DEMO / "check" / "jvm"
_LITERT = "2.3.0"  # its C functions change from version to version


def host_command(tools: Tools, program: str, words: Sequence[str] = ()) -> list[str]:
    """Returns the command of a Kotlin program for this machine, such as "EndToEnd"."""
    host = compile_host(tools)
    path = os.pathsep.join(map(str, host.all))
    return ["java", "-Xmx512m", "-cp", path, f"dermport.check.{program}", *words]


@dataclass(frozen=True)
class Host:
    """The jars that run the core with LiteRT's library.

    Attributes:
        host, core: our own, compiled.
        jna: reaches a C library.
        others: what they stand on at run time.
    """

    host: Path
    core: Path
    jna: Path
    others: tuple[Path, ...]

    @property
    def all(self) -> tuple[Path, ...]:
        """Every jar."""
        return (self.host, self.core, self.jna, *self.others)


def compile_host(tools: Tools) -> Host:
    """Compiles the core and what runs it on this machine."""
    core = compile_kotlin(tools, "core", CORE)
    jna = tools.jar("jna")
    host = compile_kotlin(tools, "host", _JVM, (core, jna))
    return Host(host, core, jna, (tools.stdlib, tools.jna_resources))


def litert_library() -> Path:
    """Returns LiteRT's library, from the Python package.

    Raises:
        MissingDependencyError: it is not installed.
        InputError: it is of another version, whose functions may differ.
    """
    spec = find_spec("ai_edge_litert")
    if spec is None or spec.origin is None:
        raise MissingDependencyError("ai-edge-litert", "tflite")
    if (found := version("ai-edge-litert")) != _LITERT:
        raise InputError(
            f"ai-edge-litert is {found}; the core is run with {_LITERT}. Install that."
        )
    library = Path(spec.origin).parent / "libLiteRt.so"
    if not library.is_file():
        raise InputError(f"{library}: not there; this is {platform.machine()}, expected x86_64.")
    return library
