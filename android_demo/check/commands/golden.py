"""Write the golden files that the core's tests read, from Python's preprocessing and decisions.

Every case is a picture drawn by code, its preprocessing recipe, and the pixels that
`runtimes.preprocess` makes of it; also JPEGs with every EXIF orientation and pictures that are
damaged in known ways. decision.json has contracts that Python reads or refuses, and what
`runtimes.decision` answers by them on both sides of every threshold. The core's tests compare their
own answers with them.

examples:
  python -m android_demo.check golden
  python -m android_demo.check golden --check

exit code: 0 written, or with --check as they were; 1 with --check, one is another; 2 bad input
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m android_demo.check golden`."""
    parser.add_argument(
        "--check", action="store_true", help="write nothing, compare with what is there"
    )


def run(args: argparse.Namespace) -> int:
    """Prints what was written or what differs."""
    from android_demo.check.golden import FOLDER, golden_files
    from runtimes.atomic import replacing_file
    from runtimes.console import fail, say

    files = golden_files()
    if args.check:
        differing = [
            name
            for name, content in files.items()
            if not (FOLDER / name).is_file() or (FOLDER / name).read_bytes() != content
        ]
        for name in differing:
            fail(f"{FOLDER / name}: Python gives something else now; run without --check")
        return 1 if differing else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with replacing_file(FOLDER / name) as temporary:
            temporary.write_bytes(content)
    say(f"{FOLDER}: {len(files)} files, {sum(map(len, files.values())) / 1e3:.0f} kB")
    return 0
