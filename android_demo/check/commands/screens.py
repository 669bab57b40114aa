"""Draw the demo's screens from its own layout files, as PNG.

Not Android draws them but a small program that knows the rules these layouts use, so fonts and
details are others on a phone. The lesion is drawn by code; the answer is the shipped model's.

examples:
  python -m android_demo.check screens
  python -m android_demo.check screens --out build/screens

exit code: 0 written, 2 the folder cannot be written
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runtimes.arguments import path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m android_demo.check screens`."""
    parser.add_argument(
        "--out", type=path, default=Path("android_demo/screens"), help="the folder of the pictures"
    )


def run(args: argparse.Namespace) -> None:
    """Prints every picture's path."""
    from android_demo.check.screens import screens, stored
    from runtimes.atomic import replacing_file
    from runtimes.console import say

    args.out.mkdir(parents=True, exist_ok=True)
    for name, picture in screens():
        target = args.out / f"{name}.png"
        with replacing_file(target) as temporary:
            stored(picture).save(temporary, "PNG", optimize=True)
        say(f"{target}: {picture.width}×{picture.height}")
