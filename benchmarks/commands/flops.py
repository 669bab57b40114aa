"""Count operations, parameters, size and memory of the paper's networks and of exported files.

The networks are counted on the torch module, each file on its own operators. Two conventions are in
use, and both are printed: multiply-accumulates (MACs), which the paper calls FLOPs, and twice that.
fvcore and the paper also count a BatchNorm as two for each value; exported files have none left.
Peak memory is that of activations alive at once, without weights and a runtime's scratch memory.

examples:
  python -m benchmarks flops
  python -m benchmarks flops artifacts/ssd_kd --json results/flops.json
  python -m benchmarks flops artifacts/ssd_kd --peer other.tflite

exit code: 0 all counted, 1 a count is more than 1 % from torch's or a file cannot be read, 2 bad
input
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runtimes.arguments import path

if TYPE_CHECKING:
    from benchmarks.flops.graph import Cost
    from benchmarks.flops.report import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m benchmarks flops`."""
    add = parser.add_argument
    add("files", metavar="FILE", nargs="*", type=path, help="folders of exports, or model files")
    add("--peer", action="append", default=[], metavar="FILE", type=path, help="a foreign model")
    add("--json", type=path, metavar="FILE", help="also write the figures to this file")


def run(args: argparse.Namespace) -> int:
    """Prints a row a network and a row a file."""
    from benchmarks.flops.report import count_all
    from benchmarks.latency.files import find_files
    from runtimes.atomic import check_output, write_json
    from runtimes.console import fail, say

    if args.json is not None:
        check_output(args.json, ".json")
    files = find_files(args.files, args.peer) if args.files or args.peer else ()
    found = count_all(files)
    say(_networks(found))
    if files:
        say(_files(found))
    if args.json is not None:
        write_json(args.json, found.to_json())
        say(f"wrote {args.json}")
    for fault in found.faults:
        fail(fault)
    return 1 if found.faults else 0


_HEADS = ("G MACs", "G FLOPs", "M parameters")


def _networks(found: Report) -> str:
    from runtimes.console import table

    rows = []
    for row in found.networks:
        paper = row.published
        rows.append(
            (
                row.architecture,
                row.classes,
                *_counts(row.cost),
                f"{row.cost.macs_with_batchnorm / 1e9:.4f}",
                "–" if paper is None else f"{paper.giga_macs:.2f}",
                "–" if paper is None else f"{paper.mega_parameters:.1f}",
                f"{row.cost.peak_activation_bytes / 1e6:.2f}",
            )
        )
    heads = (
        *("network", "classes", *_HEADS, "G MACs with BatchNorm"),
        *("the paper's", "its M parameters", "peak activations MB"),
    )
    size = found.networks[0].size
    return table(heads, rows, f"torch modules in float32, one image of {size}×{size}:")


def _files(found: Report) -> str:
    from runtimes.console import table

    rows = []
    for row in found.files:
        counts: tuple[str, ...] = ("–",) * 5
        if row.cost is not None:
            peak = f"{row.cost.peak_activation_bytes / 1e6:.2f}"
            counts = (*_counts(row.cost), peak, str(row.cost.operators))
        rows.append((row.file.name, f"{row.file.size / 1e6:.2f}", *counts))
    heads = ("file", "MB", *_HEADS, "peak activations MB", "operators")
    return table(heads, rows, "files, by their own operators:")


def _counts(cost: Cost) -> tuple[str, str, str]:
    return (f"{cost.macs / 1e9:.4f}", f"{cost.flops / 1e9:.4f}", f"{cost.parameters / 1e6:.3f}")
