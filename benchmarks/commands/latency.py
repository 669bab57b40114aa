"""Time model files beside each other, one inference of each a round.

Each file is first opened in processes of its own (load, first inference, peak memory, what really
runs); then all take turns in one process a runtime, so that ratios stand on a busy machine too. A
file that crashes its runtime gets a row that says so. Peers need no contract.

examples:
  python -m benchmarks latency artifacts/ssd_kd --quick
  python -m benchmarks latency artifacts/ssd_kd --peer other.tflite --json results/latency.json
  python -m benchmarks latency a.tflite b.tflite --base a.tflite --runs 2000 --seconds 30
  python -m benchmarks operators artifacts/ssd_kd/ssd_kd-int8.tflite

exit code: 0 all timed, 1 a file cannot be run (its row says why), 2 bad input
"""

from __future__ import annotations

import argparse
from textwrap import shorten
from typing import TYPE_CHECKING

from runtimes.arguments import path, positive, threads

if TYPE_CHECKING:
    from benchmarks.latency.measure import Latency, Row

# Runs and seconds a file: MLPerf's rule for a single stream, and a short form of it.
_FULL, _QUICK = (1024, 60.0), (128, 10.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m benchmarks latency`."""
    add = parser.add_argument
    add("files", metavar="FILE", nargs="+", type=path, help="folders of exports, or model files")
    add("--peer", action="append", default=[], metavar="FILE", type=path, help="a foreign model")
    add("--base", metavar="NAME", help="compare with this file (default: fp32 of each runtime)")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--quick", action="store_true", help="128 runs and 10 s a file, at least")
    amount.add_argument("--full", action="store_true", help="1,024 runs and 60 s (default)")
    add("--runs", type=int, metavar="N", help="of each file, at least")
    add("--seconds", type=positive, metavar="T", help="a file, at least")
    add("--threads", type=threads, default=1, help="of each runtime")
    add("--json", type=path, metavar="FILE", help="also write the figures to this file")


def run(args: argparse.Namespace) -> int:
    """Prints a row a file, the verdicts on targets, and the state of the machine."""
    from benchmarks.latency.files import find_files
    from benchmarks.latency.measure import Settings, measure_latency
    from runtimes.atomic import check_output, write_json
    from runtimes.console import fail, say, warn
    from runtimes.errors import InputError

    runs, seconds = _QUICK if args.quick else _FULL
    runs = runs if args.runs is None else args.runs
    if runs < 1:
        raise InputError(f"--runs is {runs}, expected 1 or more.")
    if args.json is not None:
        check_output(args.json, ".json")
    files = find_files(args.files, args.peer)
    settings = Settings(runs, args.seconds or seconds, args.threads, args.base)
    found = measure_latency(files, settings)
    say(_table(found))
    if found.before.load is not None and found.before.load > found.machine.cores / 2:
        warn(
            f"other programs were at work (load {found.before.load} on {found.machine.cores} cores "
            "before the first file): long inferences suffer more from that than short ones."
        )
    for verdict in found.verdicts:
        say(str(verdict))
    for line in _about(found):
        say(line)
    if args.json is not None:
        write_json(args.json, found.to_json())
        say(f"wrote {args.json}")
    broken = [row for row in found.rows if row.broken]
    for row in broken:
        fail(f"{row.file.name}: {row.fault}")
    return 1 if broken else 0


def _table(found: Latency) -> str:
    from runtimes.console import table

    heads: tuple[str, ...] = ("file", "what ran", "MB", "load", "first", "p50", "p90", "p99")
    heads += ("ratio to base (95 %)", "drift", "preprocess", "peak MB")
    threads = found.settings.threads
    rounds = max((row.times.runs for row in found.rows if row.times), default=0)
    title = (
        f"milliseconds, batch 1, {threads} thread{'s' if threads > 1 else ''}, {rounds} rounds; "
        "drift: last quarter's p50 by the first's"
    )
    return table(heads, [_cells(row, found) for row in found.rows], title)


def _cells(row: Row, found: Latency) -> tuple[str, ...]:
    size = f"{row.file.size / 1e6:.2f}"
    if row.opening is None or row.times is None:
        return (row.file.name, shorten(row.fault, 60, placeholder=" …"), size, *["–"] * 9)
    is_base = any(r.ratio and r.ratio.base == row.file.name for r in found.rows)
    times, opening = row.times, row.opening
    return (
        row.file.name,
        opening.back_end.ran,
        size,
        f"{opening.load_ms:.1f}",
        *(f"{value:.2f}" for value in (opening.first_ms, times.p50, times.p90, times.p99)),
        str(row.ratio) if row.ratio else "base" if is_base else "–",
        f"{times.drift:.2f}",
        f"{row.preprocessing.p50:.1f}" if row.preprocessing else "–",
        f"{opening.peak_memory_bytes / 1e6:.0f}",
    )


def _about(found: Latency) -> list[str]:
    lines = []
    share = found.overhead_share
    if share is not None and found.timings.overhead_ms is not None:
        lines.append(
            f"harness: {1e3 * found.timings.overhead_ms:.2f} µs of each inference, "
            f"{100 * share:.3f} % of the fastest file's p50"
        )
    machine = found.machine
    lines.append(
        f"{machine.processor}, {machine.cores} cores, {' '.join(machine.flags)}; "
        f"governor {machine.governor}"
    )
    for name in ("load", "temperatures", "megahertz"):
        before, after = (_state(getattr(s, name)) for s in (found.before, found.after))
        lines.append(f"{name} before: {before}; after: {after}")
    if found.before.stolen is not None and found.after.stolen is not None:
        stolen = found.after.stolen - found.before.stolen
        lines.append(f"other machines of the same host took {stolen:.1f} s of the cores meanwhile")
    return lines


def _state(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {degrees:.0f} °C" for name, degrees in value.items())
    if isinstance(value, tuple):
        return " ".join(f"{megahertz:.0f}" for megahertz in value)
    return "not readable" if value is None else str(value)
