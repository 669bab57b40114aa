"""Check an .apk that Gradle built: 16 KB pages, permissions, the model.

Every native library has to be uncompressed, begin at a multiple of 16 KB and have its segments
aligned to as much, or phones with Android 15 and pages of that size cannot load it. No library may
have brought in a permission, and one uncompressed model has to be in it. Permissions are read by
aapt2, where `make app-test` has fetched it before.

examples:
  python -m android_demo.check built android_demo/app/build/outputs/apk/debug/app-debug.apk

exit code: 0 all is as it has to be, 1 something is not, 2 no .apk
"""

from __future__ import annotations

import argparse

from runtimes.arguments import path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `python -m android_demo.check built`."""
    parser.add_argument("apk", metavar="APK", type=path, help="what Gradle built")


def run(args: argparse.Namespace) -> int:
    """Prints what was checked."""
    from android_demo.check.built import built_faults, built_libraries, permission_faults
    from android_demo.check.tools import ready_tools
    from runtimes.console import fail, say

    faults = built_faults(args.apk)
    for library in built_libraries(args.apk):
        say(f"{library.name}: segments aligned to {library.alignment}, begins at {library.offset}")
    tools = ready_tools()
    if tools is None:
        say("permissions were not read: aapt2 is not here; `make app-test` fetches it")
    else:
        faults += permission_faults(tools, args.apk)
    for fault in faults:
        fail(fault)
    if not faults:
        say(f"{args.apk}: as it has to be")
    return 1 if faults else 0
