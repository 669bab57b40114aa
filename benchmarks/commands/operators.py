"""Say which operators an inference spends its time in.

The runtimes' own profilers tell: ONNX Runtime's, and LiteRT's, which also sees the operators inside
XNNPACK's partitions. A profiler slows an inference down a little; `latency` measures the whole.

examples:
  python -m benchmarks operators artifacts/ssd_kd/ssd_kd-int8.tflite
  python -m benchmarks operators a-int8.onnx a-fp32.onnx --top 20 --json operators.json

exit code: 0 all profiled, 1 a file cannot be profiled (the others are), 2 bad input
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runtimes.arguments import path, threads

if TYPE_CHECKING:
    from benchmarks.latency.operators import Profile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m benchmarks operators`."""
    add = parser.add_argument
    add("files", metavar="FILE", nargs="+", type=path, help="folders of exports, or model files")
    add("--runs", type=int, default=200, help="inferences that medians are over")
    add("--top", type=int, default=10, help="so many single operators")
    add("--threads", type=threads, default=1, help="of the runtime")
    add("--json", type=path, metavar="FILE", help="also write every operator to this file")


def run(args: argparse.Namespace) -> int:
    """Prints two tables a file, by kind and the most costly ones, and then the files together."""
    from benchmarks.latency.files import CORE_ML, find_files
    from benchmarks.latency.operators import NotProfiled, profile_file
    from distill.provenance import provenance
    from runtimes.atomic import check_output, write_json
    from runtimes.console import fail, say
    from runtimes.errors import InputError

    for name, value in (("--runs", args.runs), ("--top", args.top)):
        if value < 1:
            raise InputError(f"{name} is {value}, expected 1 or more.")
    if args.json is not None:
        check_output(args.json, ".json")
    files = [file for file in find_files(args.files) if file.runtime != CORE_ML]
    if not files:
        raise InputError("no .tflite and no .onnx is named; only these can be profiled.")
    profiles, faults = [], []
    for file in files:
        try:
            found = profile_file(file, args.threads, args.runs)
        except NotProfiled as fault:
            faults.append(str(fault))
            continue
        profiles.append(found)
        say(_kinds(found))
        say(_single(found, args.top))
    if len(profiles) > 1:
        say(_together(profiles))
    if args.json is not None and profiles:
        about = provenance(("ai-edge-litert", "onnxruntime"))
        write_json(args.json, {"files": [p.to_json() for p in profiles], "provenance": about})
        say(f"wrote {args.json}")
    for reason in faults:
        fail(reason)
    return 1 if faults else 0


def _kinds(found: Profile) -> str:
    from runtimes.console import table

    total = sum(operator.milliseconds for operator in found.operators)
    rows = [
        (kind, count, f"{time:.3f}", f"{100 * time / total:.1f}")
        for kind, count, time in found.by_kind()
    ]
    title = (
        f"{found.file}: {len(found.operators)} operators, {total:.2f} ms of {found.whole_ms:.2f} ms"
    )
    return table(["kind", "number", "ms", "%"], rows, title)


def _together(profiles: list[Profile]) -> str:
    from runtimes.console import table

    times = [{kind: time for kind, _, time in found.by_kind()} for found in profiles]
    kinds = dict.fromkeys(kind for found in times for kind in found)
    rows = [
        (kind, *(f"{found[kind]:.3f}" if kind in found else "–" for found in times))
        for kind in sorted(kinds, key=lambda kind: -max(found.get(kind, 0) for found in times))
    ]
    rows.append(("all", *(f"{sum(found.values()):.3f}" for found in times)))
    return table(["kind, ms", *(found.file for found in profiles)], rows, "beside each other")


def _single(found: Profile, top: int) -> str:
    from runtimes.console import table

    costly = sorted(found.operators, key=lambda operator: -operator.milliseconds)[:top]
    rows = [(o.number, o.kind, f"{o.milliseconds:.3f}") for o in costly]
    return table(["place", "kind", "ms"], rows, "the most costly ones")
