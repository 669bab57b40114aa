"""Ask other implementations what they make of the exported files.

The golden images are answered once more: every .tflite by LiteRT's reference kernels (no XNNPACK),
every .onnx by ONNX's own evaluator, and with --tensorflow every .tflite by TensorFlow. Answers that
are apart by more than the format's tolerance are disagreements. TensorFlow's analyzer also says
which operators a phone's GPU delegate would not take; it is asked about a file that none takes as
well, because later versions (2.21 for one) reject nothing at all.

examples:
  python -m benchmarks opinions artifacts/ssd_kd
  python -m benchmarks opinions artifacts/ssd_kd --tensorflow tf/bin/python --json opinions.json

exit code: 0 all agree, 1 a disagreement, or a file that another implementation cannot run, 2 bad
input
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runtimes.arguments import path

if TYPE_CHECKING:
    from benchmarks.opinions.ask import Opinions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m benchmarks opinions`."""
    add = parser.add_argument
    add("artifacts", metavar="ARTIFACTS", type=path, help="folder of an export")
    add("--tensorflow", metavar="PYTHON", type=path, help="Python of an environment that has it")
    add("--json", type=path, metavar="FILE", help="also write the figures to this file")


def run(args: argparse.Namespace) -> int:
    """Prints a row a file and implementation, and what the analyzer says."""
    from benchmarks.opinions.ask import ask_all
    from runtimes.atomic import check_output, write_json
    from runtimes.console import fail, say

    if args.json is not None:
        check_output(args.json, ".json")
    found = ask_all(args.artifacts, args.tensorflow)
    say(_answers(found))
    for line in _gpu(found):
        say(line)
    if args.json is not None:
        write_json(args.json, found.to_json())
        say(f"wrote {args.json}")
    apart = [each for each in found.answers if each.faults]
    for each in apart:
        fail(f"{each.file}, {each.by}: {'; '.join(each.faults)}")
    return 1 if apart else 0


def _answers(found: Opinions) -> str:
    from runtimes.console import table

    rows = []
    for each in found.answers:
        cells: tuple[str, ...] = ("–",) * 3
        if (c := each.comparison) is not None:
            cells = (f"{c.probability:.1e}", f"{c.cam:.1e}", f"{100 * c.agreement:.1f}")
        rows.append((each.file, each.by, *cells, "DISAGREES" if each.faults else "agrees"))
    heads = ("file", "other implementation", "largest Δp", "cam Δ", "same top-1 %", "verdict")
    return table(heads, rows, f"beside the file's own runtime, {found.images} golden images:")


def _gpu(found: Opinions) -> list[str]:
    lines = []
    for each in found.gpu:
        said = "; ".join(each.refused) or "nothing against the GPU delegate"
        doubt = "" if each.is_witness else " (worthless: this version rejects nothing at all)"
        lines.append(f"{each.file}: {each.by}'s analyzer says: {said}{doubt}")
    return lines
