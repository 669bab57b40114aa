"""Put an exported .tflite into the app, in place of the one that lies there.

examples:
  python -m android_demo.check model artifacts/ssd_kd
  python -m android_demo.check model artifacts/ssd_kd/ssd_kd-fp16.tflite
  make app-model

exit code: 0 done, 2 no such file, or not one of this project
"""

from __future__ import annotations

import argparse

from runtimes.arguments import path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `python -m android_demo.check model`."""
    parser.add_argument(
        "source",
        metavar="EXPORT",
        type=path,
        help="an export's folder (its int8 file) or a .tflite",
    )


def run(args: argparse.Namespace) -> None:
    """Prints where it lies now."""
    from android_demo.check.model import find_export, put_in
    from runtimes.console import say

    source = find_export(args.source)
    target = put_in(source)
    say(f"{source} -> {target}")
