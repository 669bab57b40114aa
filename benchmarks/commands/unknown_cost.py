"""Time what the unknown score costs: each file beside a copy that computes all but the score.

The two take turns, one inference of each a round, so their ratio stands on a busy machine too.
Where a process happens to put its memory moves a ratio by more than its own interval says, so each
pair is timed in several processes; the median is told, with the least and the most. The copy lacks
the operators that only the score needs. Core ML packages cannot be cut.

examples:
  python -m benchmarks unknown-cost artifacts/ssd_kd
  python -m benchmarks unknown-cost artifacts/ssd_kd --only tflite:int8 --json unknown-cost.json

exit code: 0 measured, 1 a file cannot be run, 2 bad input
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from runtimes.arguments import path, positive, threads

if TYPE_CHECKING:
    from benchmarks.latency.measure import Latency


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m benchmarks unknown-cost`."""
    add = parser.add_argument
    add("artifacts", metavar="ARTIFACTS", type=path, help="folder that an export wrote")
    add("--only", nargs="+", action="extend", metavar="FORMAT", help="formats or families")
    add("--processes", type=int, default=5, help="in which each pair is timed")
    add("--runs", type=int, default=256, help="inferences of each file and process, at least")
    add("--seconds", type=positive, default=4.0, help="a file and process, at least")
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

    for name, value in (("--runs", args.runs), ("--processes", args.processes)):
        if value < 1:
            raise InputError(f"{name} is {value}, expected 1 or more.")
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
    found: dict[str, list[Latency]] = {}
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
            times = [measure_latency((file, copy), settings) for _ in range(args.processes)]
            rows = [row for each in times for row in each.rows if row.broken]
            faults |= {row.file.name: row.fault for row in rows}
            found[file.name] = [] if rows else times
    say(_table(found))
    if args.json is not None:
        document = {
            "files": {name: _to_json(times) for name, times in found.items() if times},
            "faults": faults,
            "provenance": provenance(("ai-edge-litert", "onnxruntime")),
        }
        write_json(args.json, document)
        say(f"wrote {args.json}")
    for name, fault in faults.items():
        fail(f"{name}: {fault}")
    return 1 if faults else 0


def _cost(times: list[Latency]) -> dict[str, float]:
    """What the score adds, as a share of the time without it, over processes."""
    from statistics import median

    ratios = [each.rows[0].ratio for each in times]
    costs = [ratio.value - 1 for ratio in ratios if ratio is not None]
    return {"median": median(costs), "least": min(costs), "most": max(costs)}


def _to_json(times: list[Latency]) -> dict[str, Any]:
    return {
        "format": times[0].rows[0].file.format,
        "cost": _cost(times),
        "processes": [each.to_json() for each in times],
    }


def _table(found: dict[str, list[Latency]]) -> str:
    from statistics import median

    from runtimes.console import table

    rows = []
    for name, times in found.items():
        if not times:
            rows.append((name, *["–"] * 3))
            continue
        whole, cut = (
            median(row.times.p50 for each in times if (row := each.rows[place]).times)
            for place in (0, 1)
        )
        cost = {key: f"{100 * value:+.2f}" for key, value in _cost(times).items()}
        told = "{median} ({least} to {most})".format(**cost)
        rows.append((name, f"{whole:.3f}", f"{cut:.3f}", told))
    heads = ["file", "p50 ms", "without it", "cost, % (least to most)"]
    processes = max(map(len, found.values()), default=0)
    return table(
        heads, rows, f"what the unknown score costs, batch 1, {processes} processes a file"
    )
