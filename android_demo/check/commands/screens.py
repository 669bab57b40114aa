"""Draw the demo's screens from its own layout files, as PNG.

Not Android draws them but a small program that knows the rules these layouts use, so fonts and
details are others on a phone. The lesion is drawn by code; the answer is the shipped model's.

examples:
  python -m android_demo.check screens
  python -m android_demo.check screens --out build/screens
  python -m android_demo.check screens --check

exit code: 0 written, or with --check as they were; 1 with --check, one is another; 2 the folder
cannot be written
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runtimes.arguments import path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m android_demo.check screens`."""
    add = parser.add_argument
    add("--out", type=path, default=Path("android_demo/screens"), help="the folder of the pictures")
    add("--check", action="store_true", help="write nothing, compare with what is there")


def run(args: argparse.Namespace) -> int:
    """Prints every picture's path, or what differs."""
    from android_demo.check.model import RELEASED, shipped
    from android_demo.check.screens import screen_faults, screens, stored
    from runtimes.atomic import replacing_file
    from runtimes.console import fail, say

    if args.check and shipped().name != RELEASED:
        say(f"another model lies in the app, {shipped().name}: its answers are not compared")
        return 0
    if args.check:
        faults = screen_faults(args.out)
        for fault in faults:
            fail(fault)
        return 1 if faults else 0
    args.out.mkdir(parents=True, exist_ok=True)
    for name, picture in screens():
        target = args.out / f"{name}.png"
        with replacing_file(target) as temporary:
            stored(picture).save(temporary, "PNG", optimize=True)
        say(f"{target}: {picture.width}×{picture.height}")
    return 0
