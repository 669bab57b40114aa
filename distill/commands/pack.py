"""Take a run apart into files of at most 15 MB, to carry it between machines.

A borrowed GPU trains in slices: pack what it began, carry the parts, unpack, and go on
with --resume.

examples:
  python -m distill pack runs/ssd_kd --out parcels/ssd_kd
  python -m distill unpack parcels/ssd_kd --out runs/ssd_kd
"""

from __future__ import annotations

import argparse

from runtimes.arguments import path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m distill pack`."""
    add = parser.add_argument
    add("folder", metavar="FOLDER", type=path, help="a run folder, finished or not")
    add("--out", type=path, required=True, help="folder of the parts; replaced as a whole")


def run(args: argparse.Namespace) -> int:
    """Writes the parts and prints them."""
    from distill.parcels import pack
    from runtimes.console import say

    for file in pack(args.folder, args.out):
        say(f"wrote {file}")
    return 0
