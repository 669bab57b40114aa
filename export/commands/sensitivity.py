"""Say which layer of a student loses how much when it is rounded, by the torch module's name.

Each layer is rounded alone and its noise measured at its own output and at the logits; "together"
is its output with all layers before it rounded too. Errors that are the same on every image are
left out: bias correction takes them away. Calibration images of the training side.

With --precision fp16 also which tensors come near the ends of float16's range; the export keeps
those at risk in float32.

examples:
  python -m export sensitivity runs/ssd_kd
  python -m export sensitivity runs/ssd_kd --raw
  python -m export sensitivity models/NAME --data DATA --precision fp16
  python -m export sensitivity runs/ssd_kd --json results/sensitivity.json --picture noise.png
"""

from __future__ import annotations

import argparse

from runtimes.arguments import path, seed

_WORST = 15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m export sensitivity`."""
    add = parser.add_argument
    add("run_folder", metavar="RUN", type=path, help="a finished run, or a released model")
    add("--data", type=path, help="where the run's data set lies now")
    add("--precision", default="int8", choices=("int8", "fp16"))
    add("--images", type=int, default=32, help="calibration images")
    add("--seed", type=seed, default=0, help="chooses the images")
    add("--raw", action="store_true", help="before equalizing and levelling, which exports do")
    add("--all", action="store_true", help=f"list all layers instead of the {_WORST} worst")
    add("--json", type=path, metavar="FILE", help="also write all layers to this file")
    add("--picture", type=path, metavar="FILE", help="also draw them, as PNG")


def run(args: argparse.Namespace) -> int:
    """Prints the layers from the one that harms the logits most."""
    from distill.checkpoint import STUDENT_FILE
    from distill.comparison import read_student
    from distill.device import keep_freed_memory
    from distill.provenance import provenance
    from export.deployable import Deployable
    from export.finite import check_weights
    from export.half_report import range_table
    from export.pictures import images_of
    from export.quantization.calibration_set import draw_calibration_set, read_calibration_set
    from export.quantization.equalization import equalize
    from export.quantization.half_check import check_half, watch_outputs
    from export.quantization.precisions import ROUNDINGS
    from export.quantization.sensitivity import measure_sensitivity
    from export.quantization.sensitivity_picture import draw_sensitivity
    from export.quantization.silent_channels import lift_silent_channels
    from export.quantization.streams import level_streams
    from runtimes.atomic import check_output, write_json
    from runtimes.console import progress, say, table

    for file, suffix in ((args.json, ".json"), (args.picture, ".png")):
        if file is not None:
            check_output(file, suffix)
    keep_freed_memory()
    classifier, contract = read_student(args.run_folder)
    check_weights(classifier, args.run_folder / STUDENT_FILE)
    dataset = images_of(args.run_folder, contract, args.data)
    drawn = draw_calibration_set(dataset, args.images, args.seed)
    drawn, pixels = read_calibration_set(dataset, drawn, contract.preprocessing)
    deployable = lift_silent_channels(Deployable(classifier, contract.calibration.temperature))
    if args.precision == "int8" and not args.raw:
        deployable = level_streams(equalize(deployable, pixels), pixels)
    with progress("layers") as bar:
        found = measure_sensitivity(
            deployable, pixels, ROUNDINGS[args.precision], lambda done, total: bar.advance()
        )
    ranked = sorted(found.layers, key=lambda layer: layer.logits)
    rows = [
        (layer.name, layer.kind, *(f"{value:.1f}" for value in (layer.logits, layer.own,
                                                                 layer.together)))
        for layer in (ranked if args.all else ranked[:_WORST])
    ]  # fmt: skip
    title = (
        f"{args.precision} noise of {len(ranked)} layers on {found.images} images, in dB (less is "
        f"worse); all together at the logits: {found.logits:.1f} dB"
    )
    say(table(("layer", "kind", "at the logits", "own output", "together"), rows, title))
    check = None
    if args.precision == "fp16":
        check = check_half(deployable, pixels, watch_outputs(deployable, pixels))
        say()
        say(range_table(check, len(check.tensors) if args.all else _WORST))
        say(f"at risk: {', '.join(tensor.name for tensor in check.at_risk) or 'nothing'}")
    if args.json is not None:
        document = {
            "run": args.run_folder.name,
            "precision": args.precision,
            "equalized": args.precision == "int8" and not args.raw,
            "levelled": args.precision == "int8" and not args.raw,
            "logits_decibels": found.logits,
            "layers": [layer.to_json() for layer in found.layers],
            "half_range": None if check is None else check.to_json(),
            "calibration": drawn.to_json(),
            "provenance": provenance(),
        }
        write_json(args.json, document)
        say(f"wrote {args.json}")
    if args.picture is not None:
        draw_sensitivity(found, args.picture)
        say(f"wrote {args.picture}")
    return 0
