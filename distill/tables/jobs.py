"""Which runs make up a table, where they lie, and who works on which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.checkpoint import STUDENT_FILE, TEACHER_FILE
from distill.head import HEAD_FILE
from runtimes.errors import InputError

TEACHER = "teacher"
METHODS = ("no_kd", "blkd", "drkd", "crkd", "d_kd", "sskd", "ssd_kd", "ssd_kd_plus")
REPEATED = ("no_kd", "blkd", "sskd", "ssd_kd")
# What a table that was stopped early should show comes first.
_ORDER = ("no_kd", "ssd_kd", "blkd", "ssd_kd_plus", "sskd", "d_kd", "crkd", "drkd")
FAILED_FILE = "failed.json"


@dataclass(frozen=True)
class Job:
    """One network to train.

    Attributes:
        split: protocol of the split.
        method: a recipe's name, or TEACHER.
        seed: of training; a split's runs share one teacher.
    """

    split: str
    method: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        if self.method == TEACHER:
            return f"{self.split}-{TEACHER}"
        return f"{self.split}-{self.method}-seed{self.seed}"

    def folder(self, runs: Path) -> Path:
        """Its run folder among all runs of the table."""
        return runs / self.name

    def done(self, runs: Path) -> bool:
        """Whether it is finished: a teacher together with its projection head."""
        folder = self.folder(runs)
        if self.method == TEACHER:
            return (folder / TEACHER_FILE).is_file() and (folder / HEAD_FILE).is_file()
        return (folder / STUDENT_FILE).is_file()

    def failed(self, runs: Path) -> bool:
        """Whether it diverged; removing its folder lets it run again."""
        return (self.folder(runs) / FAILED_FILE).is_file()

    def state(self, runs: Path) -> str:
        """What it is: "done", "diverged", "begun" or "waits"."""
        if self.done(runs):
            return "done"
        if self.failed(runs):
            return "diverged"
        return "begun" if self.folder(runs).is_dir() else "waits"


def list_jobs(
    splits: Sequence[str], methods: Sequence[str], seeds: Sequence[int], repeated: Sequence[str]
) -> tuple[Job, ...]:
    """Lists the jobs in the order they are worked on: what a stopped table misses least comes last.

    Args:
        splits: protocols; the first one's rows come first.
        methods: recipes, each trained with the first seed.
        seeds: the first for all methods, the others for `repeated` ones.
        repeated: the methods that are trained with every seed.

    Raises:
        InputError: an unknown method.
    """
    unknown = [name for name in (*methods, *repeated) if name not in METHODS]
    if unknown:
        raise InputError(f"a table has no row '{unknown[0]}'; possible: {', '.join(METHODS)}.")
    ordered = [name for name in _ORDER if name in methods]
    jobs: list[Job] = []
    for number, seed in enumerate(seeds):
        for split in splits:
            if number == 0:
                jobs.append(Job(split, TEACHER, seed))
            rows = ordered if number == 0 else [name for name in ordered if name in repeated]
            jobs += [Job(split, method, seed) for method in rows]
    return tuple(jobs)
