"""Write the phone files of a finished run, each checked by its own runtime against torch.

examples:
  python -m export run runs/ssd_kd
  python -m export run runs/ssd_kd --out artifacts/ssd_kd --only tflite:int8 onnx
  python -m export run runs/ssd_kd --data DATA --calibration-images 512
  python -m export run runs/ssd_kd --only tflite:int8 --float-layers 0.0 1.conv.0.0
  python -m export run runs/ssd_kd --float-layers auto
  python -m export run runs/efficientnet --ranges extremes
  python -m export run runs/ssd_kd --aware runs/ssd_kd_int8

exit code: 0 all asked files are delivered, 1 one is outside its tolerance or could not be
converted, 2 bad input or a converter is not installed
"""

from __future__ import annotations

import argparse
import json
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from runtimes.arguments import path, seed

if TYPE_CHECKING:
    from export.pipeline import Row


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m export run`."""
    add = parser.add_argument
    add("run_folder", metavar="RUN", type=path, help="a finished run")
    add("--out", type=path, help="artifact folder (default artifacts/ and the run's name)")
    add(
        "--only",
        nargs="+",
        action="extend",
        metavar="FORMAT",
        help="formats or families, for example: tflite:int8 onnx (see `formats`)",
    )
    add("--data", type=path, help="where the run's data set lies now")
    add("--calibration-images", type=int, default=256, help="training images: ranges and biases")
    add("--parity-images", type=int, default=256, help="images that files are compared on")
    add("--seed", type=seed, default=0, help="chooses both sets of images")
    add(
        "--float-layers",
        nargs="+",
        action="extend",
        default=[],
        metavar="LAYER",
        help="convolutions left in float where activations are int8, as `sensitivity` names them; "
        "auto: the least that passes the gate on validation images",
    )
    add(
        "--ranges",
        metavar="ESTIMATOR",
        help="how ranges of int8 activations are measured: extremes, averaged (unless given), "
        "percentile or mse",
    )
    add(
        "--aware",
        type=path,
        metavar="FOLDER",
        help="weights and ranges for int8 activations that `finetune` trained for this run",
    )
    add("--json", action="store_true", help="print parity.json instead of the table")


def run(args: argparse.Namespace) -> int:
    """Prints the table of files and returns the exit code."""
    from export.formats import select_formats
    from export.noise import quiet_converters

    formats = select_formats(args.only)
    quiet_converters()
    from distill.comparison import read_student
    from distill.device import keep_freed_memory
    from export.golden import GOLDEN_FILE
    from export.manifest import PARITY_FILE
    from export.pipeline import Settings, exit_code, export_run
    from export.quantization.aware.record import read_aware
    from export.quantization.range_estimators import DEFAULT_ESTIMATOR
    from export.quantization.settings import Quantization, asks_for_choice
    from runtimes.console import fail, say
    from runtimes.integrity import MANIFEST_FILE
    from runtimes.metadata import CONTRACT_FILE

    keep_freed_memory()
    out = args.out or Path("artifacts") / args.run_folder.resolve().name
    auto = asks_for_choice(args.float_layers)
    aware = None
    if args.aware is not None:
        aware = read_aware(args.aware, args.run_folder, read_student(args.run_folder)[0])
    settings = Settings(
        args.calibration_images,
        args.parity_images,
        args.seed,
        Quantization(
            estimator=args.ranges or DEFAULT_ESTIMATOR,
            float_layers=() if auto else tuple(args.float_layers),
            aware=aware,
        ),
        auto,
    )
    done = export_run(args.run_folder, out, formats, args.data, settings)
    rows = done.rows
    if args.json:
        say(json.dumps(done.parity, indent=2, ensure_ascii=False))
    else:
        say(_table(rows))
        delivered = [row.file for row in rows if row.problem is None]
        if delivered:
            for file in (*delivered, CONTRACT_FILE, GOLDEN_FILE, MANIFEST_FILE, PARITY_FILE):
                say(f"wrote {out / file}")
    for row in rows:
        if row.problem is not None:
            if args.debug:
                traceback.print_exception(row.problem)
            fail(f"{row.file}: {row.problem}")
    return exit_code(rows)


def _table(rows: list[Row]) -> str:
    from runtimes.console import table

    lines = []
    for row in rows:
        cells = ["–"] * 6
        if row.verdict is not None:
            found = row.verdict.comparison
            cells = [
                f"{row.entry['bytes'] / 1e6:.2f}" if row.entry else "–",
                f"{found.probability:.1e}",
                f"{found.mean_probability:.1e}",
                f"{found.cam:.1e}",
                f"{found.unknown:.1e}",
                f"{100 * found.agreement:.1f} ({100 * found.agreement_low:.1f} to "
                f"{100 * found.agreement_high:.1f})",
            ]
        lines.append((row.file, *cells, "passed" if row.problem is None else "FAILED"))
    heads = (
        *("file", "MB", "largest Δp", "mean Δp", "cam Δ", "unknown Δ"),
        *("same top-1 % (95 %)", "verdict"),
    )
    images = next((row.verdict.comparison.images for row in rows if row.verdict), 0)
    return table(heads, lines, f"compared with torch in float32 on {images} images:")
