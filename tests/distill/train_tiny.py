"""Trains the ten-line net for a few steps; called by tests, also in processes of torchrun.

usage: train_tiny.py DATA CACHE FOLDER [STOP_AFTER_STEPS]
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from tiny_nets import tiny_classifier

from distill.augment import Augmentation
from distill.dataset import Dataset, prepare_dataset, to_device
from distill.parallel import process_group
from distill.recipes import Phase, Stage, read_method
from distill.tasks import FrozenTeacher, ProjectionHead, StudentTask
from distill.train import Context, Deadline, Stopped, train

CPU = torch.device("cpu")
STAGE = Stage(
    phases=(Phase(2, 32, 8, views=4), Phase(0.5, 48, 8, views=1)),
    lr=0.05,
    schedule="cosine",
    warmup=0.2,
    select="balanced_accuracy",
)
SHORT = Stage(phases=(Phase(0.25, 32, 8, views=4), Phase(0.25, 48, 8, views=1)), lr=0.01)


class StopAfter(Deadline):
    """A deadline that passes after a number of steps."""

    def __init__(self, steps: int | None) -> None:
        super().__init__(None)
        self.left = steps

    def passed(self) -> bool:
        """Counts one step."""
        if self.left is not None:
            self.left -= 1
        return self.left == 0


def train_tiny(
    dataset: Dataset,
    folder: Path,
    stop_after: int | None = None,
    dropout: float = 0.2,
    stage: Stage = STAGE,
    precision: torch.dtype = torch.float32,
    teacher_seed: int = 1,
    compiled: bool = False,
    device: torch.device = CPU,
) -> StudentTask | None:
    """Returns the trained task, or None if it was stopped."""
    folder.mkdir(parents=True, exist_ok=True)
    network = tiny_classifier(12, seed=teacher_seed).to(device)
    teacher = FrozenTeacher(network, ProjectionHead(12).to(device), 32)
    student = tiny_classifier(seed=2, dropout=dropout)
    task = StudentTask(student, read_method("ssd_kd"), torch.arange(1.0, 9.0), teacher)
    context = Context(
        dataset=dataset,
        images=to_device(dataset, device),
        augmentation=Augmentation(),
        seed=3,
        precision=precision,
        deadline=StopAfter(stop_after),
        compile=compiled,
        provenance={},
    )
    try:
        train(task, stage, folder, context)
    except Stopped:
        return None
    return task


if __name__ == "__main__":
    data, cache, out = map(Path, sys.argv[1:4])
    torch.set_num_threads(1)
    with process_group(CPU):
        found = prepare_dataset(data, 32, cache_folder=cache)
        train_tiny(found, out, dropout=0.0, stage=SHORT)
