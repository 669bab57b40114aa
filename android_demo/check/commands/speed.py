"""Time the core's preprocessing of a 12-megapixel photo beside Pillow's.

Both prepare the same decoded photo, in turns, one thread each: the core on this machine's JVM,
Pillow through runtimes/preprocess. The pixels have to be equal to the last bit. The limits are
three times Pillow's time and 64 MB beside the photo.

examples:
  python -m android_demo.check speed
  python -m android_demo.check speed --rounds 60 --json results/android/speed.json

exit code: 0 within the limits, 1 beyond one, 2 missing tools or another result than Pillow's
"""

from __future__ import annotations

import argparse

from runtimes.arguments import path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m android_demo.check speed`."""
    add = parser.add_argument
    add("--rounds", type=int, default=20, metavar="N", help="timed turns of each way")
    add("--json", type=path, metavar="FILE", help="also write the figures")


def run(args: argparse.Namespace) -> int:
    """Prints a table."""
    from dataclasses import asdict

    from android_demo.check.speed import HEIGHT, WIDTH, measure
    from android_demo.check.tools import find_tools
    from benchmarks.latency.machine import describe_machine
    from distill.provenance import provenance
    from runtimes.atomic import check_output, write_json
    from runtimes.console import fail, say, table
    from runtimes.errors import InputError

    if args.rounds < 1:
        raise InputError(f"--rounds is {args.rounds}, expected 1 or more.")
    if args.json is not None:
        check_output(args.json, ".json")
    cases = measure(find_tools(), args.rounds)
    rows = [
        (c.name, f"{c.pillow_ms:.1f}", f"{c.core_ms:.1f}", f"{c.ratio:.2f}", f"{c.megabytes:.1f}")
        for c in cases
    ]
    heads = ("photo", "Pillow ms", "core ms", "ratio", "MB beside it")
    say(table(heads, rows, f"{WIDTH}×{HEIGHT} to 84 to 224 pixels, median of {args.rounds}"))
    if args.json is not None:
        write_json(
            args.json,
            {
                "machine": asdict(describe_machine()),
                "photo": [WIDTH, HEIGHT],
                "cases": [case.to_json() for case in cases],
                "provenance": provenance(),
            },
        )
        say(f"wrote {args.json}")
    beyond = [case.name for case in cases if not case.passes()]
    for name in beyond:
        fail(f"{name}: beyond three times Pillow's time or 64 MB.")
    return 1 if beyond else 0
