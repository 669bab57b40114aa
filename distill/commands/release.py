"""Turn a finished run into a released model: weights, contract, figures, split and model card.

examples:
  python -m distill release runs/ssd_kd --out models/mobilenet_v2-ssd_kd
"""

from __future__ import annotations

import argparse

from runtimes.arguments import path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m distill release`."""
    add = parser.add_argument
    add("run_folder", metavar="RUN", type=path, help="a finished run")
    add("--out", type=path, required=True, help="folder under models/; replaced as a whole")
    add("--data", type=path, help="where the run's data set lies now")
    add("--device", default="auto", help="auto, cpu or cuda")


def run(args: argparse.Namespace) -> int:
    """Writes the folder and prints its files."""
    from distill.comparison import read_student
    from distill.dataset import open_dataset, to_device
    from distill.device import choose_device
    from distill.release import release
    from runtimes.console import say

    read_student(args.run_folder)  # a folder that is no run is named before images are decoded
    dataset = open_dataset(args.run_folder, args.data)
    release(args.run_folder, args.out, dataset, to_device(dataset, choose_device(args.device)))
    for file in sorted(args.out.iterdir()):
        say(f"wrote {file}")
    return 0
