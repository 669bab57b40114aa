"""Train students that never saw one class, by which `unknown` is judged and chosen.

One small student for each class that is held out (DF, VASC and SCC by default): no image of that
class is in its training, its validation or a teacher of it. `benchmarks trust --leave-out` asks
them about the class that they do not know. The same command goes on with what is unfinished.

examples:
  python -m benchmarks leave-out runs/ssd_kd --out runs/leave_out
  python -m benchmarks leave-out models/NAME --data DATA --out runs/leave_out --weights-dir WEIGHTS
  python -m benchmarks leave-out runs/ssd_kd --out runs/leave_out --hold-out DF --time-budget 9m
"""

from __future__ import annotations

import argparse

from runtimes.arguments import path, seconds, seed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m benchmarks leave-out`."""
    add = parser.add_argument
    add("run_folder", metavar="RUN", type=path, help="the run or released model that is judged")
    add("--out", type=path, required=True, metavar="FOLDER", help="of the runs, one a class")
    add("--data", type=path, help="where the run's data set lies now")
    add("--cache-dir", type=path, help="where decoded images go")
    add(
        "--hold-out",
        nargs="+",
        default=["DF", "VASC", "SCC"],
        metavar="CLASS",
        help="classes, each held out in turn",
    )
    add("--budget", default="leave_out", help="name of a budget, or a YAML file")
    add("--weights-dir", type=path, help="folder of initial weights")
    add("--seed", type=seed, default=2021)
    add("--time-budget", type=seconds, metavar="TIME", help="stop cleanly after e.g. 9m")
    add("--device", default="auto", help="auto, cpu or cuda")


def run(args: argparse.Namespace) -> int:
    """Trains what is missing."""
    from benchmarks.trust.leave_out import train_held_out
    from distill.comparison import read_student
    from distill.dataset import open_dataset
    from distill.device import choose_device, keep_freed_memory
    from distill.recipes import read_budget
    from distill.train import Deadline, Stopped
    from runtimes.atomic import check_apart
    from runtimes.console import note, say
    from runtimes.errors import InputError

    check_apart(args.out, args.run_folder)
    student, contract = read_student(args.run_folder)
    budget, device = read_budget(args.budget), choose_device(args.device)
    if budget.cache != contract.preprocessing.effective_resolution:
        raise InputError(
            f"the budget {budget.name} reads images of {budget.cache} px, {args.run_folder} was "
            f"trained on {contract.preprocessing.effective_resolution} px. Name a budget with the "
            "same `cache`."
        )
    keep_freed_memory(device)
    dataset = open_dataset(args.run_folder, args.data, args.cache_dir)
    deadline = Deadline(args.time_budget)
    try:
        with deadline.catching_signals():
            train_held_out(
                dataset,
                args.hold_out,
                args.out,
                student.architecture,
                budget,
                args.weights_dir,
                args.seed,
                deadline,
                str(device),
            )
    except Stopped as stopped:
        note(str(stopped))
        return 130 if deadline.interrupted else 0
    for code in args.hold_out:
        say(f"{args.out / code}: never saw {code}")
    return 0
