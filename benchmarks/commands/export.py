"""How long an export takes, and how much memory, from start to end of its process.

The files go into a folder that is thrown away. With --limit and --memory-limit the command exits 1
where the export took more.

examples:
  python -m benchmarks export runs/ssd_kd --limit 120s --memory-limit 6
  python -m benchmarks export runs/ssd_kd --only tflite:int8 --json results/export_cost.json
"""

from __future__ import annotations

import argparse

from runtimes.arguments import path, positive, seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m benchmarks export`."""
    add = parser.add_argument
    add("run_folder", metavar="RUN", type=path, help="a finished run, or a released model")
    add("--data", type=path, help="where the run's data set lies now")
    add("--only", nargs="+", metavar="FORMAT", default=(), help="formats or families (default all)")
    add("--limit", type=seconds, metavar="120s", help="exit 1 if it takes longer")
    add("--memory-limit", type=positive, metavar="GB", help="exit 1 if it needs more")
    add("--json", type=path, metavar="FILE", help="also write the figures to this file")


def run(args: argparse.Namespace) -> int:
    """Prints time and memory."""
    from benchmarks.export_cost import measure_export
    from distill.comparison import read_student
    from export.formats import select_formats
    from runtimes.atomic import check_output, write_json
    from runtimes.console import say
    from runtimes.errors import GateError

    select_formats(args.only)
    if args.json is not None:
        check_output(args.json, ".json")
    read_student(args.run_folder)  # a folder that is no run is named at once
    found = measure_export(args.run_folder, args.data, tuple(args.only))
    gigabytes = found.peak_memory_bytes / 1e9
    say(
        f"{found.files} files in {found.seconds} s ({found.processor_seconds} s of {found.cores} "
        f"cores), peak memory {gigabytes:.2f} GB"
    )
    if args.json is not None:
        write_json(args.json, found.to_json())
        say(f"wrote {args.json}")
    if args.limit is not None and found.seconds > args.limit:
        raise GateError(f"the export took {found.seconds} s, more than {args.limit:g} s.")
    if args.memory_limit is not None and gigabytes > args.memory_limit:
        raise GateError(f"the export needed {gigabytes:.2f} GB, more than {args.memory_limit:g}.")
    return 0
