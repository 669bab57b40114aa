"""Compare what ARM kernels answer, under emulation, with the same runtimes on x86.

QEMU runs an arm64 Python with the runtimes' own builds for ARM: first as a cortex-a53, which has no
dot products of bytes, then as a cortex-a76, which has them, so that both kinds of int8 kernels are
used. fp32 has to be the same within 1e-5 in probability, int8 within what its float head may sum
in another order: 1e-6, and 1e-5 of the class maps. A cortex-a76 computes fp16 in half precision,
where x86 takes float32, so fp16 may be 0.02 apart. Of an int8 .onnx outside its limit, the first
operator that differs is named, with how many of its values differ and by how many steps. Emulation
says nothing about speed. What it needs is fetched once, into --folder, from Debian and PyPI.

examples:
  python -m benchmarks arm artifacts/ssd_kd
  python -m benchmarks arm artifacts/ssd_kd --cpu cortex-a76 --images 2 --json arm.json

exit code: 0 all the same, or no emulation on this system (a line says why), 1 a difference, 2 bad
input
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from runtimes.arguments import path

if TYPE_CHECKING:
    from benchmarks.arm.parity import ArmRow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m benchmarks arm`."""
    add = parser.add_argument
    add("artifacts", metavar="ARTIFACTS", type=path, help="folder of an export")
    add("--folder", type=path, default=Path(".arm"), help="where the emulator lies or is put")
    add("--cpu", nargs="+", metavar="CPU", help="as QEMU calls them (default: both above)")
    add("--images", type=int, default=4, help="so many of the golden images")
    add("--json", type=path, metavar="FILE", help="also write the figures to this file")


def run(args: argparse.Namespace) -> int:
    """Prints a row a file and processor."""
    from benchmarks.arm.machine import CPUS, arm_machine, obstacle
    from benchmarks.arm.parity import compare_arm, to_json
    from runtimes.atomic import check_output, write_json
    from runtimes.console import fail, say, warn
    from runtimes.errors import InputError

    if args.images < 1:
        raise InputError(f"--images is {args.images}, expected 1 or more.")
    if args.json is not None:
        check_output(args.json, ".json")
    if reason := obstacle():
        warn(f"ARM parity is skipped: {reason}.")
        return 0
    machine, cpus = arm_machine(args.folder), args.cpu or CPUS
    machine.check_cpus(cpus)
    rows = compare_arm(args.artifacts, machine, cpus, args.images)
    say(_table(rows, args.images))
    if args.json is not None:
        write_json(args.json, to_json(rows, args.images))
        say(f"wrote {args.json}")
    failed = [row for row in rows if not row.passed]
    for row in failed:
        fail(str(row))
    return 1 if failed else 0


def _table(rows: tuple[ArmRow, ...], images: int) -> str:
    from runtimes.console import table

    cells = [
        (
            row.file,
            row.cpu,
            row.by,
            *("–" if each is None else f"{each:.1e}" for each in (row.probability, row.maps)),
            f"{row.limit.probability:g}",
            "–" if row.limit.maps is None else f"{row.limit.maps:g}",
            "passed" if row.passed else "FAILED",
        )
        for row in rows
    ]
    heads = (
        "file",
        "processor",
        "runtime",
        "largest Δp",
        "class map Δ",
        "allowed",
        "of maps",
        "verdict",
    )
    return table(heads, cells, f"ARM under emulation beside x86, {images} golden images:")
