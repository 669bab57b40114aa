"""Check every operator of Core ML files, and on macOS say on which unit each is planned to run.

Off macOS the MIL evaluator carries the file out in torch, operator by operator: what it does not
know it names, and every result has to have the shape that the program declares and finite values;
fp16 headroom is how many times larger a kind's largest value could be. On macOS 14.4 and later Core
ML's compute plan is read too (CPU, GPU, Neural Engine); `benchmarks latency` times the files there.

examples:
  python -m benchmarks coreml artifacts/ssd_kd
  python -m benchmarks coreml model.mlpackage --images 1 --json coreml.json

exit code: 0 every operator passed, 1 one did not or is not known, 2 bad input
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runtimes.arguments import path

if TYPE_CHECKING:
    from benchmarks.coreml.check import CoreMLCheck


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m benchmarks coreml`."""
    add = parser.add_argument
    add("files", metavar="FILE", nargs="+", type=path, help="folders of exports, or .mlpackages")
    add("--images", type=int, default=2, metavar="N", help="golden images, 1 to 8")
    add("--json", type=path, metavar="FILE", help="also write every kind of operator to this file")


def run(args: argparse.Namespace) -> int:
    """Prints a table a file."""
    from benchmarks.coreml.check import check_package
    from benchmarks.latency.files import CORE_ML, find_files
    from distill.provenance import provenance
    from runtimes.atomic import check_output, write_json
    from runtimes.console import fail, progress, say
    from runtimes.errors import InputError

    if not 1 <= args.images <= 8:
        raise InputError(f"--images is {args.images}, expected 1 to 8.")
    if args.json is not None:
        check_output(args.json, ".json")
    files = [file for file in find_files(args.files) if file.runtime == CORE_ML]
    if not files:
        raise InputError("no .mlpackage is named. Export one: --only coreml.")
    for file in files:
        if file.fault:
            raise InputError(f"{file.path}: {file.fault}")
    checks = []
    with progress("Core ML files", len(files)) as bar:
        for file in files:
            checks.append(check_package(file.path, args.images))
            bar.advance(text=file.name)
    for check in checks:
        say(_table(check))
    if args.json is not None:
        about = provenance(("coremltools", "torch"))
        write_json(args.json, {"files": [each.to_json() for each in checks], "provenance": about})
        say(f"wrote {args.json}")
    for check in checks:
        for reason in _reasons(check):
            fail(f"{check.file}: {reason}")
    return 0 if all(check.passed for check in checks) else 1


def _table(check: CoreMLCheck) -> str:
    from runtimes.console import table

    units = sorted({unit for kind in check.kinds for unit in kind.units})
    rows = [
        (
            kind.kind,
            kind.number,
            "yes" if kind.known else "NO",
            kind.wrong_shapes,
            kind.not_finite,
            "–" if kind.headroom is None else f"{kind.headroom:,.0f}",
            *(kind.units.get(unit, 0) for unit in units),
        )
        for kind in check.kinds
    ]
    heads = ("operator", "number", "known", "wrong shape", "not finite", "fp16 headroom", *units)
    constants = ", ".join(f"{number} {kind}" for kind, number in check.constants.items())
    title = f"{check.file}, {check.images} golden images" + (constants and f"; at load {constants}")
    return table(heads, rows, title)


def _reasons(check: CoreMLCheck) -> list[str]:
    reasons = [check.fault] if check.fault else []
    for kind in check.kinds:
        if kind.wrong_shapes:
            reasons.append(f"{kind.kind} gave {kind.wrong_shapes} results of another shape")
        if kind.not_finite:
            reasons.append(f"{kind.kind} gave {kind.not_finite} results that are not finite")
    return reasons
