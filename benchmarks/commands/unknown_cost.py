"""Time what the unknown score costs: each file beside a copy that computes all but the score.

The two take turns, one inference of each a round, so their ratio stands on a busy machine too. The
copy lacks the operators that only the score needs. Core ML packages cannot be cut.

examples:
  python -m benchmarks unknown-cost artifacts/ssd_kd
  python -m benchmarks unknown-cost artifacts/ssd_kd --only tflite:int8 --json unknown-cost.json

exit code: 0 measured, 1 a file cannot be run, 2 bad input
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runtimes.arguments import path, positive, threads

if TYPE_CHECKING:
    from benchmarks.latency.measure import Latency


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m benchmarks unknown-cost`."""
    add = parser.add_argument
    add("artifacts", metavar="ARTIFACTS", type=path, help="folder that an export wrote")
    add("--only", nargs="+", action="extend", metavar="FORMAT", help="formats or families")
    add("--runs", type=int, default=1024, help="inferences of each file, at least")
    add("--seconds", type=positive, default=20.0, help="a file, at least")
    add("--threads", type=threads, default=1, help="of each runtime")
    add("--json", type=path, metavar="FILE", help="also write the figures to this file")


def run(args: argparse.Namespace) -> int:
    """Prints a row a file: with and without the score, and the cost in % of the latter."""
    import tempfile
    from pathlib import Path

    from benchmarks.latency.files import CORE_ML, find_files
    from benchmarks.latency.measure import Settings, measure_latency
    from benchmarks.latency.without_unknown import write_without_unknown
    from distill.provenance import provenance
    from export.formats import select_formats
    from runtimes.atomic import check_output, write_json
    from runtimes.console import fail, say
    from runtimes.errors import InputError

    if args.runs < 1:
        raise InputError(f"--runs is {args.runs}, expected 1 or more.")
    if not args.artifacts.is_dir():
        raise InputError(f"{args.artifacts} is no folder; name one that an export wrote.")
    if args.json is not None:
        check_output(args.json, ".json")
    asked = None if args.only is None else {form.key for form in select_formats(args.only)}
    files = [
        file
        for file in find_files([args.artifacts])
        if file.runtime != CORE_ML and (asked is None or file.format in asked)
    ]
    if not files:
        raise InputError(
            f"{args.artifacts} holds no .tflite and no .onnx"
            f"{'' if asked is None else ' of ' + ', '.join(sorted(asked))}; only these can be cut. "
            "Export one, or name others by --only."
        )
    found: list[Latency] = []
    faults = {each.name: each.fault for each in files if each.fault}
    with tempfile.TemporaryDirectory(prefix="dermport-unknown-") as made:
        for file in (each for each in files if not each.fault):
            try:
                cut = write_without_unknown(file, Path(made))
            except InputError as error:
                faults[file.name] = file.without_path(str(error))
                continue
            (copy,) = find_files([], [cut])
            settings = Settings(args.runs, args.seconds, args.threads, copy.name)
            found.append(measure_latency((file, copy), settings))
    say(_table(found))
    if args.json is not None:
        measured = [each.to_json() for each in found]
        about = provenance(("ai-edge-litert", "onnxruntime"))
        write_json(args.json, {"measured": measured, "faults": faults, "provenance": about})
        say(f"wrote {args.json}")
    faults |= {row.file.name: row.fault for each in found for row in each.rows if row.broken}
    for name, fault in faults.items():
        fail(f"{name}: {fault}")
    return 1 if faults else 0


def _table(found: list[Latency]) -> str:
    from runtimes.console import table

    rows = []
    for whole, cut in (each.rows for each in found):
        times = [f"{row.times.p50:.3f}" if row.times else "–" for row in (whole, cut)]
        cost = "–"
        if whole.ratio is not None:
            value, low, high = (
                f"{100 * (part - 1):+.2f}"
                for part in (whole.ratio.value, whole.ratio.low, whole.ratio.high)
            )
            cost = f"{value} ({low} to {high})"
        runs = str(whole.times.runs) if whole.times else "–"
        rows.append((whole.file.name, *times, cost, runs))
    heads = ["file", "p50 ms", "without it", "cost, % (95 %)", "rounds"]
    return table(heads, rows, "what the unknown score costs, batch 1")
