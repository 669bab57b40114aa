"""Keep the figures of a finished run as data: metrics, recipe, split, log and parity, no weights.

examples:
  python -m distill record runs/ssd_kd --artifacts artifacts/ssd_kd --out results/main_job/ssd_kd
  python -m distill record runs/no_kd --out results/main_job/no_kd
"""

from __future__ import annotations

import argparse
import shutil

from runtimes.arguments import path
from runtimes.errors import InputError

_FROM_RUN = ("metrics.json", "recipe.yaml", "split.json", "log.jsonl", "curves.png")
_FROM_TEACHER = ("metrics.json", "log.jsonl")
_FROM_ARTIFACTS = ("parity.json", "manifest.json", "contract.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m distill record`."""
    add = parser.add_argument
    add("run_folder", metavar="RUN", type=path, help="a finished run")
    add("--teacher", type=path, help="the teacher's run folder (default RUN/teacher)")
    add("--artifacts", type=path, help="its exported files, whose parity is kept too")
    add("--out", type=path, required=True, help="folder under results/; replaced as a whole")


def run(args: argparse.Namespace) -> int:
    """Copies the figures in one step and prints where they went."""
    from runtimes.atomic import check_folder, replacing_folder
    from runtimes.console import say

    teacher = args.teacher or args.run_folder / "teacher"
    wanted = {args.run_folder / name: name for name in _FROM_RUN}
    if args.teacher is not None or teacher.is_dir():
        wanted |= {teacher / name: f"teacher-{name}" for name in _FROM_TEACHER}
    if args.artifacts is not None:
        wanted |= {args.artifacts / name: name for name in _FROM_ARTIFACTS}
    missing = [path for path in wanted if not path.is_file()]
    if missing:
        raise InputError(f"{missing[0]} does not exist; finish the run, or export it, first.")
    names = (*_FROM_RUN, *(f"teacher-{name}" for name in _FROM_TEACHER), *_FROM_ARTIFACTS)
    check_folder(args.out, "metrics.json", names)
    with replacing_folder(args.out) as temporary:
        for path, name in wanted.items():
            shutil.copyfile(path, temporary / name)
    say(f"wrote {len(wanted)} files to {args.out}")
    return 0
