"""Measure a finished run on a side of its split, alone or against another run.

examples:
  python -m distill evaluate runs/ssd_kd
  python -m distill evaluate runs/ssd_kd --side validation --size 96
  python -m distill evaluate runs/ssd_kd --against runs/no_kd --json results/difference.json
"""

from __future__ import annotations

import argparse

from runtimes.arguments import path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m distill evaluate`."""
    add = parser.add_argument
    add("run_folder", metavar="RUN", type=path, help="a finished run")
    add("--against", type=path, metavar="RUN", help="also print the paired difference to this run")
    add("--side", default="test", choices=("train", "validation", "test"))
    add("--size", type=int, help="edge of the input in pixels (default: the contract's)")
    add("--data", type=path, help="where the data set lies now")
    add("--device", default="auto", help="auto, cpu or cuda")
    add("--json", type=path, metavar="FILE", help="also write the figures to this file")


def run(args: argparse.Namespace) -> int:
    """Prints metrics with 95 % intervals over lesions, and the paired differences if asked."""
    from distill.comparison import compare_runs, measure_run, read_student
    from distill.dataset import open_dataset, to_device
    from distill.device import choose_device
    from distill.provenance import provenance
    from distill.recipes import LARGEST_SIZE, SMALLEST_SIZE
    from runtimes.atomic import check_output, write_json
    from runtimes.console import say, table
    from runtimes.errors import InputError

    if args.size is not None and not SMALLEST_SIZE <= args.size <= LARGEST_SIZE:
        raise InputError(
            f"--size is {args.size}, expected {SMALLEST_SIZE} to {LARGEST_SIZE} pixels."
        )
    runs = (args.run_folder, *([args.against] if args.against else []))
    if args.json is not None:
        check_output(args.json, ".json")
    for folder in runs:
        read_student(folder)  # a folder that is no run is named before images are decoded
    dataset = open_dataset(args.run_folder, args.data)
    images = to_device(dataset, choose_device(args.device))
    first = measure_run(args.run_folder, dataset, images, args.side, args.size)
    title = f"{args.run_folder} on the {args.side} side, {first.metrics.images} images"
    say(table(["metric", "value (95 %)"], first.metrics.scalars().items(), title))
    document = {
        "run": args.run_folder.name,
        "side": args.side,
        "size": first.size,
        "metrics": first.metrics.to_json(),
        "provenance": provenance(),
    }
    if args.against is not None:
        second = measure_run(args.against, dataset, images, args.side, args.size)
        differences = compare_runs(second, first, dataset, args.side)
        title = f"{args.run_folder.name} minus {args.against.name}, paired over lesions"
        say(table(["metric", "difference (95 %)"], differences.items(), f"\n{title}"))
        document["against"] = {
            "run": args.against.name,
            "metrics": second.metrics.to_json(),
            "difference": {name: vars(value) for name, value in differences.items()},
        }
    if args.json is not None:
        write_json(args.json, document)
        say(f"wrote {args.json}")
    return 0
