"""How long a student trains here under a budget, from measured steps.

Every phase's step is measured with random pixels, beside the bare networks in turn, and multiplied
by the planned steps; teacher, projection head, validation and the final evaluation come on top.

examples:
  python -m benchmarks budget cpu --recipe ssd_kd --pair densenet169:mobilenet_v2
  python -m benchmarks budget paper --recipe ssd_kd --images 17703 --json cost.json
"""

from __future__ import annotations

import argparse

from runtimes.arguments import path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m benchmarks budget`."""
    add = parser.add_argument
    add("budget", help="name of a budget, or the path of a YAML file")
    add("--recipe", default="ssd_kd", help="the method that is trained")
    add("--pair", metavar="TEACHER:STUDENT", help="torchvision names instead of the recipe's")
    add("--images", type=int, default=17_703, help="on the training side (default: ISIC 2019's)")
    add("--seconds", type=float, default=20.0, help="how long each phase is measured")
    add("--device", default="auto", help="auto, cpu or cuda")
    add("--precision", default="auto", help="auto, bf16 or fp32")
    add("--json", type=path, metavar="FILE", help="also write the figures to this file")


def run(args: argparse.Namespace) -> int:
    """Prints the time of each phase and their sum."""
    from benchmarks.budget import measure_budget
    from distill.device import choose_device, choose_precision
    from distill.recipes import Pair, Recipe, read_budget, read_method
    from runtimes.atomic import check_output, write_json
    from runtimes.console import say, table
    from runtimes.errors import InputError

    if args.images < 1:
        raise InputError(f"--images is {args.images}, expected 1 or more.")
    if args.json is not None:
        check_output(args.json, ".json")
    method = read_method(args.recipe)
    pair = Pair.parse(args.pair) if args.pair else method.pair
    recipe = Recipe(method, read_budget(args.budget), pair)
    device = choose_device(args.device)
    precision = choose_precision(args.precision, device)
    found = measure_budget(recipe, args.images, args.seconds, device, precision)
    rows = [
        (
            f"{cost.phase.size} px, {cost.phase.views} views of {cost.phase.batch}",
            cost.steps,
            f"{cost.seconds_a_step:.3f}",
            f"{cost.seconds / 60:.1f}",
        )
        for cost in found.phases
    ]
    title = f"{method.name} under {recipe.budget.name}, {found.images} images, {found.device}"
    say(table(["phase", "steps", "s a step", "minutes"], rows, title))
    say(f"{found.seconds / 60:.1f} minutes of training steps for the student")
    if args.json is not None:
        write_json(args.json, found.to_json())
        say(f"wrote {args.json}")
    return 0
