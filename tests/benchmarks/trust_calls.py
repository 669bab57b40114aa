"""`benchmarks trust` and `leave-out` as tests call them, and what they share inside."""

from __future__ import annotations

from pathlib import Path

from benchmarks.commands import leave_out as leave_out_command
from benchmarks.commands import trust as command
from benchmarks.trust.ask import Setting
from benchmarks.trust.images import Amounts
from benchmarks.trust.kept import Kept
from benchmarks.trust.masks import find_masks, open_masks
from benchmarks.trust.pictures import bundled_photos
from distill.comparison import read_student
from distill.dataset import Dataset
from runtimes.console import Verb, run_program

from .conftest import Exported

VERBS = (
    Verb("trust", "", command.__name__),
    Verb("leave-out", "", leave_out_command.__name__),
)
FEW = ["--pictures", "8", "--masked", "9", "--changed", "6", "--threads", "1"]


def run(*words: object) -> int:
    """Calls the program in this process; returns its exit code."""
    return run_program("benchmarks", "", VERBS, [str(word) for word in words])


def setting_of(exported: Exported, dataset: Dataset, work: Path) -> Setting:
    """What the questions of a measurement share, with answers kept in `work`."""
    _, contract = read_student(exported.run)
    masks = open_masks(find_masks(dataset.source))  # type: ignore[arg-type]
    return Setting(dataset, contract, Amounts(), masks, bundled_photos(), Kept(work))
