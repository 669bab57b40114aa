"""Try every way to int8 on validation images, and say what each step brings.

Each way exports the student anew and compares the file with torch in float32: one step after
another, then the default with one step left out or exchanged. The least divergence of the
probabilities (KL) is the best. From 100 validation lesions on, the 95 % interval of the paired
difference to the default tells whether a way is more than luckier with these images; other
calibration images, which another --seed draws, may favour another way. Scales from two disjoint
calibration sets are compared too.

examples:
  python -m benchmarks quantization runs/ssd_kd
  python -m benchmarks quantization runs/ssd_kd --only tflite:int8 --json results/quantization.json
  python -m benchmarks quantization runs/ssd_kd --images 4096 --ways 'all, least squares'
  python -m benchmarks quantization runs/ssd_kd --float-layers 0.0 1.conv.0.0
  python -m benchmarks quantization runs/ssd_kd --float-layers auto
  python -m benchmarks quantization runs/ssd_kd --aware runs/ssd_kd_int8
  python -m benchmarks quantization models/NAME --data DATA --picture results/quantization.png
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runtimes.arguments import path, seed

if TYPE_CHECKING:
    from benchmarks.quantization import Report, Trial
    from export.quantization.scale_stability import Stability

_FORMATS = ("tflite:int8", "onnx:int8")
_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m benchmarks quantization`."""
    add = parser.add_argument
    add("run_folder", metavar="RUN", type=path, help="a finished run, or a released model")
    add("--data", type=path, help="where the run's data set lies now")
    add(
        "--only",
        nargs="+",
        action="extend",
        metavar="FORMAT",
        help=f"int8 formats to try (default: {' '.join(_FORMATS)})",
    )
    add(
        "--ways",
        nargs="+",
        action="extend",
        metavar="WAY",
        help="only these and the default; a wrong name lists all",
    )
    add("--calibration-images", type=int, default=256, help="training images, each of two sets")
    add("--images", type=int, default=512, help="validation images that files are compared on")
    add(
        "--float-layers",
        nargs="+",
        action="extend",
        default=[],
        metavar="LAYER",
        help="also try the default with these convolutions in float; auto: with the least that "
        "passes the gate",
    )
    add("--aware", type=path, metavar="FOLDER", help="also try what `export finetune` trained")
    add("--seed", type=seed, default=0, help="chooses all images")
    add("--json", type=path, metavar="FILE", help="also write the figures to this file")
    add("--picture", type=path, metavar="FILE", help="also draw them, as PNG")


def run(args: argparse.Namespace) -> int:
    """Prints the trials and the scales that another calibration set would move."""
    from benchmarks.quantization import TRIALS, named_ways, try_quantizations, with_float_layers
    from benchmarks.quantization_picture import draw_trials
    from distill.comparison import read_student
    from distill.device import keep_freed_memory
    from export.formats import select_formats
    from export.noise import quiet_converters
    from export.pictures import images_of
    from export.quantization.aware.record import read_aware
    from export.quantization.float_layers import check_layers
    from export.quantization.settings import Quantization, asks_for_choice
    from runtimes.atomic import check_output, write_json
    from runtimes.console import say
    from runtimes.errors import InputError

    formats = select_formats(args.only or _FORMATS)
    other = [form.key for form in formats if not form.rounds_activations]
    if other:
        raise InputError(
            f"--only names {other[0]}, whose activations are not int8; possible: tflite:int8, "
            "onnx:int8, coreml:w8a8."
        )
    for file, suffix in ((args.json, ".json"), (args.picture, ".png")):
        if file is not None:
            check_output(file, suffix)
    if args.images < 1:
        raise InputError(f"--images is {args.images}, expected 1 or more.")
    trials = dict(TRIALS) if args.ways is None else named_ways(args.ways)
    quiet_converters()
    keep_freed_memory()
    student, contract = read_student(args.run_folder)
    auto = asks_for_choice(args.float_layers)
    layers = () if auto else tuple(dict.fromkeys(args.float_layers))
    check_layers(student.trunk, layers)
    trials |= with_float_layers(layers)
    if args.aware is not None:
        aware = read_aware(args.aware, args.run_folder, student)
        trials[f"fine-tuned, {aware.name}"] = Quantization(aware=aware)
    found = try_quantizations(
        args.run_folder,
        images_of(args.run_folder, contract, args.data),
        formats,
        calibration_images=args.calibration_images,
        validation_images=args.images,
        seed=args.seed,
        trials=trials,
        choose=auto,
    )
    for form in formats:
        say(_trials(found, form.key))
    if found.stability is not None:
        say(_stability(found.stability))
    if args.json is not None:
        write_json(args.json, found.to_json())
        say(f"wrote {args.json}")
    if args.picture is not None:
        draw_trials(found, args.picture)
        say(f"wrote {args.picture}")
    return 0


def _trials(found: Report, form: str) -> str:
    from benchmarks.quantization import LEAST_LESIONS, better_defaults
    from export.quantization.settings import DEFAULT
    from runtimes.console import table

    best = found.best(form)
    rows = [
        (
            trial.name + (" *" if trial is best else ""),
            f"{100 * trial.comparison.agreement:.2f} ({100 * trial.comparison.agreement_low:.1f} "
            f"to {100 * trial.comparison.agreement_high:.1f})",
            f"{trial.divergence:.2e}",
            "the default" if trial.quantization == DEFAULT else _beyond(trial),
            f"{trial.comparison.mean_probability:.2e}",
            f"{100 * trial.balanced_accuracy:+.2f}",
        )
        for trial in found.trials
        if trial.format == form
    ]
    heads = (
        "way to int8",
        "same top-1 % (95 %)",
        "KL",
        "beyond the default's (95 %)",
        "mean Δp",
        "ΔBACC points",
    )
    title = f"{form}, {len(found.validation.ids)} validation images beside torch fp32; * is best"
    better = better_defaults(found.trials, form)
    if better is None:
        said = f"no way is told from the default, which takes {LEAST_LESIONS} validation lesions"
    else:
        said = f"better than the default on these images, at no cost: {', '.join(better) or 'none'}"
    return f"{table(heads, rows, title)}\n{said}"


def _beyond(trial: Trial) -> str:
    beyond = trial.beyond_default
    if beyond is None or beyond.value is None:
        return "–"
    return f"{beyond.value:+.1e} ({beyond.low:+.1e} to {beyond.high:+.1e})"


def _stability(stability: Stability) -> str:
    from runtimes.console import table

    rows = [
        (tensor.name, *(f"{scale:.4g}" for scale in tensor.scales), f"{tensor.difference:.1%}")
        for tensor in stability.tensors[:_SHOWN]
    ]
    title = (
        f"scales from two disjoint calibration sets: {len(stability.moved)} of "
        f"{len(stability.tensors)} tensors differ by more than 20 %; the most are"
    )
    return table(("tensor", "first set", "second set", "difference"), rows, title)
