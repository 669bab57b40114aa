"""Draw a small synthetic data set: eight classes of lesions on skin, with lesion masks.

It shows no patient. It serves to try every step of the project without downloading anything;
nothing measured on it says anything about skin disease, and all that is made from it is marked
synthetic. OUT gets images/, masks/, labels.csv and SYNTHETIC.txt. The same arguments give the same
pictures.

examples:
  python -m distill sample data/sample
  python -m distill sample data/large --per-class 200 --size 224 --seed 7
"""

from __future__ import annotations

import argparse

from runtimes.arguments import path
from runtimes.console import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of the verb."""
    parser.add_argument(
        "out", type=path, metavar="OUT", help="folder; an earlier sample there is replaced"
    )
    parser.add_argument(
        "--per-class", type=int, default=60, metavar="N", help="mean images a class"
    )
    parser.add_argument(
        "--size", type=int, default=160, metavar="PIXELS", help="edge of the images"
    )
    parser.add_argument("--seed", type=int, default=0, help="which data set")


def run(args: argparse.Namespace) -> int:
    """Draws the data set and says where it lies."""
    from distill.sample import write_sample

    count = write_sample(args.out, args.per_class, args.size, args.seed)
    say(f"{count} synthetic images with masks and labels.csv in {args.out}")
    return 0
