"""Put a packed run together again; every part is checked by its hash.

examples:
  python -m distill unpack parcels/ssd_kd --out runs/ssd_kd
"""

from __future__ import annotations

import argparse

from runtimes.arguments import path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m distill unpack`."""
    add = parser.add_argument
    add("parcels", metavar="PARCELS", type=path, help="folder that `pack` wrote")
    add("--out", type=path, required=True, help="the new folder; it must not exist")


def run(args: argparse.Namespace) -> int:
    """Writes the folder and prints its files."""
    from distill.parcels import unpack
    from runtimes.console import say

    for file in unpack(args.parcels, args.out):
        say(f"wrote {file}")
    return 0
