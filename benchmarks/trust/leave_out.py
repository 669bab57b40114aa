"""Students that never saw one class: what `unknown` is worth when a new diagnosis comes along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from distill.checkpoint import STUDENT_FILE
from distill.dataset import Dataset, to_device
from distill.device import choose_precision
from distill.pipeline import Places, is_finished, train_student
from distill.recipes import Budget, Pair, Recipe, read_method
from distill.train import Context, Deadline
from runtimes.console import note
from runtimes.errors import InputError

HELD_OUT = ("DF", "VASC", "SCC")
_METHOD = "no_kd"  # a teacher that saw the class would hand on what it looks like


def without_class(dataset: Dataset, code: str) -> Dataset:
    """Returns the data set as if the images of one class did not exist, on the same sides.

    Args:
        dataset: with at least three classes.
        code: of the class that is left out; the others keep their order.

    Raises:
        InputError: the data set does not have the class, or would have a single one left.
    """
    index, split = dataset.index, dataset.split
    if code not in index.classes:
        raise InputError(
            f"the class {code} cannot be held out: {dataset.source} has "
            f"{', '.join(index.classes)}. Name one of those."
        )
    if len(index.classes) < 3:
        raise InputError(
            f"{dataset.source} has {len(index.classes)} classes; without {code} there would be "
            "nothing left to tell apart. Three or more are needed."
        )
    classes = tuple(other for other in index.classes if other != code)
    number = {index.classes.index(other): k for k, other in enumerate(classes)}
    records = tuple(
        replace(record, label=number[record.label])
        for record in index.records
        if record.label in number
    )
    kept = {record.image for record in records}
    train, validation, test = (
        tuple(image for image in split.side(side) if image in kept)
        for side in ("train", "validation", "test")
    )
    return replace(
        dataset,
        index=replace(index, classes=classes, records=records),
        split=replace(split, train=train, validation=validation, test=test),
    )


def train_held_out(
    dataset: Dataset,
    codes: Sequence[str],
    out: Path,
    architecture: str,
    budget: Budget,
    weights: Path | None,
    seed: int,
    deadline: Deadline | None = None,
    device: str = "cpu",
) -> None:
    """Trains one student a held-out class into `out`/CODE; finished ones are left as they are.

    None of them sees an image of its class: not in its body, not in its head, and not through a
    teacher. They start from the same initial weights as any student.

    Args:
        dataset: of the deployed student, whose sides they keep.
        codes: classes that are held out in turn.
        out: folder of their runs.
        architecture: torchvision's name of the student.
        budget: how long they train.
        weights: folder of initial weights, if any.
        seed: of the runs.
        deadline: when to stop; the same call goes on.
        device: "cpu" or "cuda".

    Raises:
        InputError: see `without_class`, or the folders hold other runs.
        Stopped: the deadline passed.
    """
    method, where = read_method(_METHOD), torch.device(device)
    split = dataset.split
    for code in codes:
        without_class(dataset, code)  # a wrong name is told before anything is trained
    for code in codes:
        reduced = replace(without_class(dataset, code), per_class=budget.images_per_class)
        recipe = Recipe(
            method=method,
            budget=budget,
            pair=Pair(method.pair.teacher, architecture),
            seed=seed,
            split=split.protocol,
            fold=2 if split.fold is None else split.fold,
            split_seed=split.seed,
        )
        context = Context(
            dataset=reduced,
            images=to_device(reduced, where),
            augmentation=budget.augmentation,
            seed=seed,
            precision=choose_precision("auto", where),
            deadline=deadline or Deadline(),
        )
        places = Places(
            run=out / code, teacher=out / code / "teacher", weights=weights, resume=True
        )
        if is_finished(recipe, places, context):
            note(f"{places.run / STUDENT_FILE} is finished")
            continue
        note(f"a student that never saw {code}")
        train_student(recipe, places, context, None)
