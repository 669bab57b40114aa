"""Train a student by a recipe: teacher, projection head and student, each only if missing.

examples:
  python -m distill train ssd_kd --data DATA --out runs/ssd_kd
  python -m distill train ssd_kd --data DATA --out runs/ssd_kd --budget cpu --time-budget 9m
  python -m distill train ssd_kd --data DATA --out runs/ssd_kd --budget cpu --resume
  python -m distill train no_kd --data DATA --out runs/no_kd --split paper
  python -m distill train blkd --data DATA --out runs/blkd --pair densenet169:mobilenet_v2
  python -m distill train teacher --data DATA --teacher runs/teacher
  torchrun --nproc-per-node 2 -m distill train ssd_kd --data DATA --out runs/ssd_kd
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runtimes.arguments import path, seconds, seed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m distill train`."""
    add = parser.add_argument
    add("recipe", help="a method, a path to its YAML, or 'teacher' to train only the teacher")
    add("--data", type=path, required=True, help="a data set in any layout the project reads")
    add("--images", default="auto", help="zip or folder of images, where the data has several")
    add("--out", type=path, help="the run's folder (default runs/RECIPE)")
    add("--teacher", type=path, help="the teacher's run folder (default OUT/teacher)")
    add(
        "--budget",
        default="auto",
        help="paper, cpu, cpu_same_time, sample or a YAML path; auto chooses",
    )
    add("--pair", metavar="TEACHER:STUDENT", help="torchvision names instead of the recipe's")
    add("--split", default="lesion", choices=("lesion", "paper"), help="split protocol")
    add("--fold", type=int, default=2, help="validation fold of the paper's split, 0 to 4")
    add("--seed", type=seed, default=2021, help="of training, 0 or more")
    add("--split-seed", type=seed, help="of the split (default: --seed)")
    add("--weights-dir", type=path, help="folder of ImageNet weights as safetensors")
    add("--cache-dir", type=path, default=Path("data/cache"), help="where decoded images go")
    add("--device", default="auto", help="auto, cpu or cuda")
    add("--precision", default="auto", help="auto, bf16 or fp32")
    add("--compile", action="store_true", help="compile the networks with torch.compile")
    add("--time-budget", type=seconds, metavar="9m", help="stop cleanly after this time")
    add("--resume", action="store_true", help="go on with an unfinished run")
    add("--skip-unreadable", action="store_true", help="leave out images that cannot be read")
    add("--skip-unmatched", action="store_true", help="leave out what has no label or no image")


def run(args: argparse.Namespace) -> int:
    """Trains what is missing and prints every path written."""
    from distill.dataset import prepare_dataset, to_device
    from distill.device import choose_device, choose_precision, keep_freed_memory
    from distill.models import check_architectures
    from distill.parallel import first_process_first, process_group
    from distill.pipeline import Places, train_recipe, train_teacher
    from distill.recipes import read_budget, read_method
    from distill.train import Context, Deadline, Stopped
    from runtimes.console import note
    from runtimes.contract import check_model_name

    only_teacher = args.recipe == "teacher"
    method = read_method("ssd_kd" if only_teacher else args.recipe)
    out = args.out or Path("runs") / method.name
    check_model_name(out.name, str(out))  # the model and its files are called after the folder
    device = choose_device(args.device)
    keep_freed_memory(device)
    budget = read_budget(_budget_name(args, device.type))
    recipe = _recipe(args, method, budget)
    check_architectures(recipe.pair.teacher, recipe.pair.student)
    places = Places(out, args.teacher or out / "teacher", args.weights_dir, args.resume)
    deadline = Deadline(args.time_budget)
    with process_group(device):
        dataset = first_process_first(
            prepare_dataset,
            args.data,
            budget.cache,
            images=args.images,
            protocol=args.split,
            seed=args.seed if args.split_seed is None else args.split_seed,
            fold=args.fold,
            cache_folder=args.cache_dir,
            skip_unreadable=args.skip_unreadable,
            skip_unmatched=args.skip_unmatched,
            per_class=budget.images_per_class,
        )
        for warning in dataset.index.warnings:
            note(warning)
        context = Context(
            dataset=dataset,
            images=to_device(dataset, device),
            augmentation=budget.augmentation,
            seed=args.seed,
            precision=choose_precision(args.precision, device),
            deadline=deadline,
            compile=args.compile,
        )
        try:
            with deadline.catching_signals():
                if only_teacher:
                    train_teacher(recipe, places, context)
                else:
                    train_recipe(recipe, places, context)
        except Stopped as stopped:
            note(str(stopped))
            return 130 if deadline.interrupted else 0
    return 0


def _recipe(args: argparse.Namespace, method, budget):  # type: ignore[no-untyped-def]
    from distill.recipes import Pair, Recipe

    pair = Pair.parse(args.pair) if args.pair is not None else method.pair
    return Recipe(method, budget, pair, args.seed, args.split, args.fold, args.split_seed)


def _budget_name(args: argparse.Namespace, device: str) -> str:
    if args.budget != "auto":
        return str(args.budget)
    from distill.readers.labels_csv import SYNTHETIC_MARKER

    if (args.data / SYNTHETIC_MARKER).is_file():
        return "sample"
    return "paper" if device == "cuda" else "cpu"
