"""Measure every exported file on the whole test side beside torch in float32.

For each file: accuracy, balanced accuracy, mAP, AUC and calibration error with 95 % intervals over
lesions, their paired differences to torch, agreement of the first diagnosis, mean KL divergence,
and the sensitivity for melanoma at torch's operating point (90 % on validation images).

examples:
  python -m benchmarks parity artifacts/ssd_kd
  python -m benchmarks parity artifacts/ssd_kd --gate
  python -m benchmarks parity artifacts/ssd_kd --only tflite --json results/parity.json
  python -m benchmarks parity artifacts/NAME --run models/NAME --data DATA

exit code: 0 measured (and, with --gate, all inside), 1 a file is outside its gate, 2 bad input
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from runtimes.arguments import path

if TYPE_CHECKING:
    from benchmarks.parity import FileParity


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m benchmarks parity`."""
    add = parser.add_argument
    add("artifacts", metavar="ARTIFACTS", type=path, help="folder that an export wrote")
    add("--run", type=path, dest="run_folder", help="its run (default runs/ and the folder's name)")
    add("--data", type=path, help="where the run's data set lies now")
    add("--only", nargs="+", action="extend", metavar="FORMAT", help="formats or families")
    add("--images", type=int, help="at most so many test images (default all)")
    add("--threads", type=int, default=2, help="of each runtime")
    add("--gate", action="store_true", help="exit 1 if a file is outside its gate")
    add("--json", type=path, metavar="FILE", help="also write the figures to this file")


def run(args: argparse.Namespace) -> int:
    """Prints the table and, with --gate, what is outside."""
    from benchmarks.artifacts import listed_files
    from benchmarks.parity import measure_parity
    from distill.dataset import open_dataset
    from distill.device import keep_freed_memory
    from export.formats import select_formats
    from runtimes.atomic import check_output, write_json
    from runtimes.console import fail, say, table
    from runtimes.errors import InputError

    formats = select_formats(args.only)
    if args.images is not None and args.images < 1:
        raise InputError(f"--images is {args.images}, expected 1 or more.")
    if args.gate and args.images is not None:
        raise InputError("--gate judges the whole test side; leave out --images.")
    if not 1 <= args.threads <= 256:
        raise InputError(f"--threads is {args.threads}, expected 1 to 256.")
    if args.json is not None:
        check_output(args.json, ".json")
    listed_files(args.artifacts)  # a folder that is none is named before images are decoded
    folder = args.run_folder or Path("runs") / args.artifacts.resolve().name
    if not folder.is_dir():
        raise InputError(
            f"{folder}, the run that {args.artifacts} would be exported from, is no folder. Name "
            "the run with --run."
        )
    keep_freed_memory()
    dataset = open_dataset(folder, args.data)
    found = measure_parity(args.artifacts, folder, dataset, formats, args.images, args.threads)
    heads = (
        *("format", "ACC", "BACC", "ΔBACC (95 %)", "mAP", "AUC", "ECE"),
        *("same top-1 %", "KL", "MEL sens.", "gate"),
    )
    title = f"{found.images} test images of {found.lesions} lesions; Δ is the file minus torch fp32"
    say(table(heads, [_cells(row) for row in found.rows], title))
    if args.json is not None:
        write_json(args.json, found.to_json())
        say(f"wrote {args.json}")
    outside = [row for row in found.rows if row.faults]
    if not args.gate:
        return 0
    for row in outside:
        fail(f"{row.file}: {'; '.join(row.faults)}")
    return 1 if outside else 0


def _cells(row: FileParity) -> tuple[str, ...]:
    difference = row.difference["balanced_accuracy"]
    names = ("mean_average_precision", "macro_auc", "calibration_error")
    sensitivity = row.melanoma_sensitivity
    return (
        row.format,
        _short(row.metrics["accuracy"].value),
        _short(row.metrics["balanced_accuracy"].value),
        "–" if not row.file else str(difference),
        *(_short(row.metrics[name].value) for name in names),
        f"{100 * row.agreement:.2f}",
        f"{row.divergence:.1e}",
        _short(sensitivity),
        "–" if not row.file else "outside" if row.faults else "inside",
    )


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
