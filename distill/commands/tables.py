"""Train and measure the rows of the paper's tables 2 and 3 under one protocol and one budget.

A list of jobs: stop it after any of them, the same command goes on. Several processes may work on
one table; each takes a job that no other has.

examples:
  python -m distill tables --data DATA
  python -m distill tables --data DATA --time-budget 9m
  python -m distill tables --data DATA --methods no_kd,ssd_kd --splits lesion --seeds 1
  python -m distill tables --data DATA --list
  python -m distill tables --data DATA --budget mine.yaml --runs runs/mine --out results/mine
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from runtimes.arguments import LARGEST_SEED, path, seconds, seed

_MOST_SEEDS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m distill tables`."""
    add = parser.add_argument
    add("--data", type=path, required=True, help="a data set in any layout the project reads")
    add("--images", default="auto", help="zip or folder of images, where the data has several")
    add("--runs", type=path, help="where the runs go (default runs/BUDGET)")
    add("--out", type=path, help="where the figures go (default results/BUDGET)")
    add(
        "--budget", default="auto", help="tables, tables_cpu, paper or a YAML path; auto: by device"
    )
    add("--pair", metavar="TEACHER:STUDENT", help="torchvision names instead of the recipes'")
    add("--methods", default="all", help="rows, with commas between them")
    add(
        "--repeated",
        metavar="ROWS",
        help="rows that get every seed (default no_kd, blkd, sskd and ssd_kd)",
    )
    add("--splits", default="lesion,paper", help="lesion, paper or both")
    add("--seeds", type=int, default=3, help="how many seeds the repeated rows get")
    add("--seed", type=seed, default=2021, help="the first seed, also of the splits")
    add("--weights-dir", type=path, help="folder of ImageNet weights as safetensors")
    add("--cache-dir", type=path, default=Path("data/cache"), help="where decoded images go")
    add("--device", default="auto", help="auto, cpu or cuda")
    add("--precision", default="auto", help="auto, bf16 or fp32")
    add("--compile", action="store_true", help="compile the networks with torch.compile")
    add("--time-budget", type=seconds, metavar="9m", help="stop cleanly after this time")
    add("--list", action="store_true", help="print the jobs and their state, and train nothing")


def run(args: argparse.Namespace) -> int:
    """Trains what is missing, rewrites the table after each job, and prints every path."""
    from distill.device import choose_device, keep_freed_memory
    from distill.models import check_architectures
    from distill.readers.labels_csv import SYNTHETIC_MARKER
    from distill.recipes import Pair, read_budget
    from distill.splits import PROTOCOLS
    from distill.tables.jobs import METHODS, REPEATED, list_jobs
    from distill.tables.results import check_results
    from distill.tables.work import Protocol, check_runs, work
    from distill.train import Deadline, Stopped
    from runtimes.console import note, say, table
    from runtimes.errors import GateError, InputError

    splits = _names(args.splits, PROTOCOLS, "--splits")
    methods = METHODS if args.methods == "all" else _names(args.methods, METHODS, "--methods")
    args.repeated = args.repeated or ",".join(REPEATED)
    repeated = [name for name in _names(args.repeated, METHODS, "--repeated") if name in methods]
    if not 1 <= args.seeds <= _MOST_SEEDS:
        raise InputError(f"--seeds is {args.seeds}, expected 1 to {_MOST_SEEDS}.")
    pair = None if args.pair is None else Pair.parse(args.pair)
    if pair is not None:
        check_architectures(pair.teacher, pair.student)
    seeds = range(args.seed, args.seed + args.seeds)
    if seeds[-1] > LARGEST_SEED:
        raise InputError(f"the last seed is {seeds[-1]}, expected at most {LARGEST_SEED}.")
    jobs = list_jobs(splits, methods, seeds, repeated)
    device = choose_device(args.device)
    keep_freed_memory(device)
    name = ("tables_cpu" if device.type == "cpu" else "paper") if args.budget == "auto" else None
    budget = read_budget(name or args.budget)
    called = budget.name + ("-sample" if (args.data / SYNTHETIC_MARKER).is_file() else "")
    runs = args.runs or Path("runs") / called
    out = args.out or Path("results") / called
    for folder in (runs, out):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file; name a folder.")
    if args.list:
        say(table(["job", "state"], [(job.name, job.state(runs)) for job in jobs]))
        return 0
    deadline = Deadline(args.time_budget)
    contexts = {split: _context(args, split, budget, device, deadline) for split in splits}
    protocol = Protocol(runs, budget, pair, args.weights_dir, contexts)
    check_runs(jobs, protocol)
    check_results(out, jobs, protocol)
    writer = _writer(args, jobs, protocol, out)
    try:
        with deadline.catching_signals():
            work(jobs, protocol, writer)
    except Stopped as stopped:
        writer()
        note(str(stopped))
        note("The same command goes on.")
        return 130 if deadline.interrupted else 0
    writer()
    say(f"wrote {out / 'table.json'}, {out / 'table.md'}, {out / 'table.png'}")
    missing = [job.name for job in jobs if not job.done(runs)]
    if missing:
        raise GateError(
            f"{len(missing)} of {len(jobs)} jobs have no result ({', '.join(missing[:3])}): their "
            "training, or their teacher's, diverged. table.json names step and learning rate."
        )
    say(f"all {len(jobs)} jobs are done")
    return 0


def _names(text: str, possible: tuple[str, ...], option: str) -> list[str]:
    from runtimes.errors import InputError

    found = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in found if name not in possible]
    if unknown or not found:
        raise InputError(f"{option} is '{text}'; possible: {', '.join(possible)}.")
    return found


def _context(args, split: str, budget, device, deadline):  # type: ignore[no-untyped-def]
    from distill.dataset import prepare_dataset, to_device
    from distill.device import choose_precision
    from distill.train import Context

    dataset = prepare_dataset(
        args.data,
        budget.cache,
        images=args.images,
        protocol=split,
        seed=args.seed,
        cache_folder=args.cache_dir,
        per_class=budget.images_per_class,
    )
    return Context(
        dataset=dataset,
        images=to_device(dataset, device),
        augmentation=budget.augmentation,
        seed=args.seed,
        precision=choose_precision(args.precision, device),
        deadline=deadline,
        compile=args.compile,
    )


def _writer(args, jobs, protocol, out: Path):  # type: ignore[no-untyped-def]
    from distill.tables.results import write_results
    from distill.tables.summary import Measurements

    images = {
        split: (context.dataset, context.images) for split, context in protocol.contexts.items()
    }
    measured = Measurements(protocol.runs, images)
    words = ["--budget", protocol.budget.name if args.budget == "auto" else args.budget]
    words += ["--pair", args.pair] if args.pair else []
    words += ["--methods", args.methods] if args.methods != "all" else []
    words += ["--splits", args.splits, "--seeds", str(args.seeds), "--seed", str(args.seed)]
    words += ["--repeated", args.repeated, "--precision", args.precision]
    words += ["--weights-dir", "WEIGHTS"] if args.weights_dir else []
    words += ["--compile"] if args.compile else []
    command = shlex.join(["python", "-m", "distill", "tables", "--data", "DATA", *words])
    return lambda: write_results(out, jobs, protocol, measured, command)
