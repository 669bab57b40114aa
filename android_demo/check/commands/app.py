"""Check the project's files and build an .apk of the app: a build check, not a release.

Gradle and Google's packages are not needed. The manifest's permissions, exported screens and API
levels are checked, the Gradle files for consistency, the app's strings for a sentence for every
fault; then the sources are compiled against
Android's framework (API 23) with stubs for LiteRT and newer members, dexed, packaged, aligned,
signed with a throwaway key, and verified. LiteRT itself is not in that .apk.

examples:
  python -m android_demo.check app
  python -m android_demo.check app --apk build/build-check.apk
  python -m android_demo.check app --files-only

exit code: 0 all is as it has to be, 1 a file is not, 2 it cannot be built or tools are missing
"""

from __future__ import annotations

import argparse

from runtimes.arguments import path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m android_demo.check app`."""
    add = parser.add_argument
    add("--apk", type=path, metavar="FILE", help="also keep the .apk here")
    add("--files-only", action="store_true", help="check the project's files, build nothing")


def run(args: argparse.Namespace) -> int:
    """Prints what was checked."""
    import tempfile
    from pathlib import Path

    from android_demo.check.faults import call_faults, string_faults
    from android_demo.check.package import build_package, keep
    from android_demo.check.project import read_project
    from android_demo.check.tools import find_tools
    from runtimes.atomic import check_output
    from runtimes.console import fail, say

    if args.apk is not None:
        check_output(args.apk, ".apk")
    project = read_project()
    faults = (*project.faults, *string_faults(), *call_faults())
    for fault in faults:
        fail(fault)
    if faults:
        return 1
    say(
        f"{project.package}: API {project.min_sdk} to {project.target_sdk}, LiteRT "
        f"{project.litert}; manifest, Gradle files and sources are as they have to be"
    )
    if args.files_only:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        package = build_package(find_tools(), project, Path(folder))
        say(
            f"build check: compiled, dexed, packaged, aligned, signed and verified "
            f"({', '.join(package.schemes)}), {package.bytes / 1e6:.1f} MB without LiteRT"
        )
        if args.apk is not None:
            keep(package, args.apk)
            say(f"wrote {args.apk}")
    return 0
