"""Works through a table: each job in its own folder, one process a job, restarts at any time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from distill.divergence import DivergedError
from distill.pipeline import Places, open_teacher, train_student
from distill.recipes import Budget, Pair, Recipe, read_method, read_recipe
from distill.tables.jobs import FAILED_FILE, TEACHER, Job
from distill.train import Context, Stopped
from runtimes.atomic import write_json
from runtimes.console import note, warn
from runtimes.errors import InputError
from runtimes.locks import claim

_SECONDS_BETWEEN_LOOKS = 5.0


@dataclass(frozen=True)
class Protocol:
    """What all rows of a table share.

    Attributes:
        runs: folder of all run folders.
        budget: of every row.
        pair: teacher and student; None for the recipes' own.
        weights: folder of initial weights, if any.
        contexts: split protocol to data and device; their seed is that of the split.
    """

    runs: Path
    budget: Budget
    pair: Pair | None
    weights: Path | None
    contexts: Mapping[str, Context]


def work(jobs: Sequence[Job], protocol: Protocol, finished: Callable[[], None]) -> None:
    """Trains what is neither finished, nor failed, nor in the hands of another process.

    Args:
        jobs: in their order.
        protocol: what they share.
        finished: called after each job of this process.

    Raises:
        Stopped: the deadline passed; the same call goes on.
    """
    runs, told = protocol.runs, False
    while left := [job for job in jobs if not job.done(runs) and not job.failed(runs)]:
        if _work_on_one(left, jobs, protocol):
            finished()
            continue
        if protocol.contexts[left[0].split].deadline.passed():
            raise Stopped("stopped while other processes work on the rest.")
        if all(_hopeless(job, jobs, runs) for job in left):
            warn(f"{len(left)} jobs cannot run, because their teacher failed.")
            return
        if not told:
            note(f"{len(left)} jobs wait for other processes")
        told = True
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def check_runs(jobs: Sequence[Job], protocol: Protocol) -> None:
    """Checks that what was begun earlier belongs to this table.

    Raises:
        InputError: a run of another budget, pair or method version, or one that tells nothing.
    """
    for job in jobs:
        path = job.folder(protocol.runs) / "recipe.yaml"
        if job.done(protocol.runs) and not path.is_file():
            raise InputError(
                f"{path} is missing, so nobody can say how {path.parent} was trained. Restore it, "
                "or move the folder away to train it anew."
            )
        if path.is_file() and read_recipe(path).stages() != _recipe(job, protocol).stages():
            raise InputError(
                f"{path.parent} was trained with another budget, pair, method or seed than this "
                "table asks for (see its recipe.yaml), and rows of two protocols make no table. "
                "Name another --runs folder and another --out."
            )


def _work_on_one(left: Sequence[Job], jobs: Sequence[Job], protocol: Protocol) -> bool:
    """Trains the first job that is ready and free; returns whether there was one."""
    for job in left:
        if not _ready(job, jobs, protocol.runs):
            continue
        with claim(protocol.runs / ".locks" / job.name) as mine:
            if mine and not job.done(protocol.runs) and not job.failed(protocol.runs):
                _train(job, protocol)
                return True
    return False


def _ready(job: Job, jobs: Sequence[Job], runs: Path) -> bool:
    return job.method in (TEACHER, "no_kd") or _teacher_of(job, jobs).done(runs)


def _hopeless(job: Job, jobs: Sequence[Job], runs: Path) -> bool:
    return not _ready(job, jobs, runs) and _teacher_of(job, jobs).failed(runs)


def _teacher_of(job: Job, jobs: Sequence[Job]) -> Job:
    return next(other for other in jobs if (other.split, other.method) == (job.split, TEACHER))


def _recipe(job: Job, protocol: Protocol) -> Recipe:
    split = protocol.contexts[job.split].dataset.split
    method = read_method("ssd_kd" if job.method == TEACHER else job.method)
    return Recipe(
        method=method,
        budget=protocol.budget,
        pair=protocol.pair or method.pair,
        seed=job.seed,
        split=split.protocol,
        fold=2 if split.fold is None else split.fold,
        split_seed=split.seed,
    )


def _train(job: Job, protocol: Protocol) -> None:
    note(f"\n{job.name}")
    context, recipe = protocol.contexts[job.split], _recipe(job, protocol)
    places = Places(
        run=job.folder(protocol.runs),
        teacher=Job(job.split, TEACHER, job.seed).folder(protocol.runs),
        weights=protocol.weights,
        resume=True,
    )
    try:
        teacher = None
        if recipe.method.needs_teacher:
            teacher = open_teacher(recipe, places, context, with_head=True)
        if job.method != TEACHER:
            train_student(recipe, places, replace(context, seed=job.seed), teacher)
    except DivergedError as error:
        warn(str(error))
        write_json(job.folder(protocol.runs) / FAILED_FILE, {"error": str(error)})
