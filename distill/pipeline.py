"""From a recipe to a finished run: teacher, its projection head, student."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from distill import losses
from distill.checkpoint import (
    STUDENT_FILE,
    TEACHER_FILE,
    header_json,
    load_classifier,
    load_tensors,
)
from distill.dataset import describe_dataset
from distill.device import to_channels_last
from distill.finish import finish_student, finish_teacher
from distill.head import trained_head
from distill.models import Classifier
from distill.parallel import rank_and_world, wait_for_all
from distill.recipes import Recipe, Stage, read_recipe, write_recipe
from distill.splits import read_split, write_split
from distill.tasks import FrozenTeacher, StudentTask, TeacherTask
from distill.train import Context, train
from distill.trainstate import STATE_FILE
from distill.weights import Initialised, initialise
from runtimes.atomic import write_json
from runtimes.console import note
from runtimes.errors import InputError
from runtimes.json_files import read_json
from runtimes.locks import alone_in

# Names the weights that an unfinished training began with; going on needs only the name.
INITIAL_FILE = "initial.json"


@dataclass(frozen=True)
class Places:
    """Folders of a run.

    Attributes:
        run: the student's run folder.
        teacher: the teacher's run folder; several runs may share one.
        weights: folder with initial weights, if any.
        resume: whether unfinished work found there is gone on with.
    """

    run: Path
    teacher: Path
    weights: Path | None = None
    resume: bool = False


def train_recipe(recipe: Recipe, places: Places, context: Context) -> None:
    """Trains what is missing of teacher, head and student, and finishes the run folder.

    Raises:
        InputError: the folders hold another run, or an unfinished one without `resume`.
        Stopped: the deadline passed; the same call with `resume` goes on.
    """
    if is_finished(recipe, places, context):
        note(f"{places.run} is finished with these settings; name another --out to train anew.")
        return
    check_place(places.run, context)
    teacher = None
    if recipe.method.needs_teacher:
        teacher = open_teacher(recipe, places, context, with_head=recipe.method.needs_head)
    train_student(recipe, places, context, teacher)


def is_finished(recipe: Recipe, places: Places, context: Context) -> bool:
    """Whether the run folder holds a student of this recipe and split, and going on was asked for.

    Raises:
        InputError: it holds a finished student, but of other settings, or `resume` is not set.
    """
    folder = places.run
    if not (folder / STUDENT_FILE).exists():
        return False
    if places.resume and (folder / "recipe.yaml").is_file():
        same = read_recipe(folder / "recipe.yaml").stages() == recipe.stages()
        split = read_split(folder / "split.json").sha256
        if same and split == context.dataset.split.sha256:
            return True
        what = "other images or another split" if same else "another recipe, budget, pair or seed"
        raise InputError(
            f"{folder} holds a finished run with {what} (see its recipe.yaml). Name another folder "
            "with --out (make: RUN), or give its settings."
        )
    _refuse_finished(folder)
    return False


def check_place(folder: Path, context: Context) -> None:
    """Checks that a run may be written into a folder.

    Raises:
        InputError: it holds something else than a run, or lies among the images.
    """
    source = context.dataset.source
    if source.is_dir() and folder.resolve().is_relative_to(source.resolve()):
        raise InputError(
            f"{folder} lies in the data set {source}, where a run's pictures would be taken for "
            "images. Name another folder with --out or --teacher."
        )
    begun = any((folder / name).exists() for name in ("recipe.yaml", "teacher"))
    if folder.is_dir() and any(folder.iterdir()) and not begun:
        raise InputError(
            f"{folder} holds something else than a run. Name a new folder with --out or --teacher."
        )


def open_teacher(
    recipe: Recipe, places: Places, context: Context, *, with_head: bool
) -> FrozenTeacher:
    """Loads or trains the teacher, and its projection head if asked for."""
    model, size = train_teacher(recipe, places, context)
    head = None
    if with_head:
        head = trained_head(model, recipe.budget.head, places.teacher, context)
        head = head.to(context.images.device)
    return FrozenTeacher(model, head, size)


def train_teacher(recipe: Recipe, places: Places, context: Context) -> tuple[Classifier, int]:
    """Loads the teacher of the folder, or fine-tunes it there; returns it and its input size."""
    device, folder = context.images.device, places.teacher
    if not (folder / TEACHER_FILE).exists():
        stage = recipe.budget.teacher
        with _alone_in(folder):
            start_run(folder, recipe, places, context)
            initial = _initial_model("teacher", recipe.pair.teacher, stage, places, context)
            weight = class_weight(context.dataset.class_counts(), stage.class_weights)
            task = TeacherTask(initial.model, weight)
            train(task, stage, folder, context)
            finish_teacher(task.model, recipe, context, folder, initial.source)
            _forget_state(folder)
    model, size = load_teacher(folder, recipe.pair.teacher, context)
    to_channels_last(model, device)
    return model, size


def load_teacher(folder: Path, architecture: str, context: Context) -> tuple[Classifier, int]:
    """Reads a finished teacher and checks that it fits the data set and its split.

    Raises:
        InputError: another architecture, other classes, or a teacher that was trained on another
            split and so may have seen test images.
    """
    path = folder / TEACHER_FILE
    model = load_classifier(path, architecture)
    _, header = load_tensors(path)
    classes = len(context.dataset.index.classes)
    if model.num_classes != classes:
        raise InputError(
            f"{path} knows {model.num_classes} classes, the data set has {classes}; "
            "train a teacher on this data set."
        )
    if header.get("split_sha256") != context.dataset.split.sha256:
        raise InputError(
            f"{path} was trained on another split, so it may have seen this split's test images. "
            "Use the same data, --split and --seed as the teacher, or another --teacher folder."
        )
    return model, int(header_json(header, "size", path))


def start_run(folder: Path, recipe: Recipe, places: Places, context: Context) -> None:
    """Writes recipe and split into a new run folder; refuses one that holds something else.

    Raises:
        InputError: the folder holds an unfinished run and `resume` is not set.
    """
    _refuse_finished(folder)
    if (folder / STATE_FILE).exists():
        _check_unfinished(folder, recipe, places, context)
        return
    check_place(folder, context)
    _refuse_others(folder, recipe)
    if rank_and_world()[0] == 0:
        folder.mkdir(parents=True, exist_ok=True)
        write_recipe(folder / "recipe.yaml", recipe)
        write_split(folder / "split.json", context.dataset.split, context.dataset.index)
        describe_dataset(folder, context.dataset)
    wait_for_all()


def _refuse_finished(folder: Path) -> None:
    for file in (STUDENT_FILE, TEACHER_FILE):
        if (folder / file).exists():
            raise InputError(
                f"{folder} holds a finished run ({file}), whose records would be overwritten. "
                "Name another folder with --out or --teacher, or export a student with: "
                f"python -m export run {folder}"
            )


def _refuse_others(folder: Path, recipe: Recipe) -> None:
    """Refuses a folder whose records are another run's."""
    begun = folder / "recipe.yaml"
    if begun.exists() and read_recipe(begun).stages() != recipe.stages():
        raise InputError(
            f"{folder} was begun with another recipe, budget, pair or seed (see its recipe.yaml). "
            "Name another folder with --out or --teacher, or remove this one."
        )
    wait_for_all()  # before the first process writes there


def _check_unfinished(folder: Path, recipe: Recipe, places: Places, context: Context) -> None:
    if not places.resume:
        raise InputError(
            f"{folder} holds an unfinished run. Go on with --resume, or choose another --out."
        )
    begun = read_recipe(folder / "recipe.yaml")
    if begun.stages() != recipe.stages():
        raise InputError(
            f"{folder} was begun with another recipe, budget, pair or seed (see its recipe.yaml). "
            "Resume with those, or choose another --out."
        )
    if read_split(folder / "split.json").sha256 != context.dataset.split.sha256:
        raise InputError(
            f"{folder} was begun on another data set or split; going on would mix training and "
            "test images. Give the same --data, --split and --seed, or choose another --out."
        )


def student_stage(recipe: Recipe) -> Stage:
    """The budget's student stage, with one view an image where no term compares turned views."""
    stage = recipe.budget.student
    if recipe.method.needs_four_views:
        return stage
    return replace(stage, phases=tuple(replace(phase, views=1) for phase in stage.phases))


def class_weight(counts: Sequence[int], kind: str) -> Tensor:
    """Class weights: "inverse" w_c = N / n_c (the paper's), "square-root" of it, or "equal"."""
    weights = losses.class_weights(counts)
    if kind == "square-root":
        return weights.sqrt()
    return torch.ones_like(weights) if kind == "equal" else weights


def train_student(
    recipe: Recipe, places: Places, context: Context, teacher: FrozenTeacher | None
) -> None:
    """Trains the student into its run folder and finishes it there."""
    folder, stage = places.run, student_stage(recipe)
    with _alone_in(folder):
        start_run(folder, recipe, places, context)
        initial = _initial_model("student", recipe.pair.student, stage, places, context)
        weight = class_weight(context.dataset.class_counts(), stage.class_weights)
        counts = torch.tensor(context.dataset.class_counts(), dtype=torch.float32)
        task = StudentTask(initial.model, recipe.method, weight, teacher, counts / counts.sum())
        train(task, stage, folder, context)
        finish_student(task.model, recipe, context, folder, initial.source)
        _forget_state(folder)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Holds the run folder for the processes of this training.

    Raises:
        InputError: another training works in it.
    """
    if rank_and_world()[0] > 0:
        yield
        return
    busy = (
        f"{folder} is being trained by another process. Wait for it, or name another folder with "
        "--out or --teacher."
    )
    with alone_in(folder, busy):
        yield


def _initial_model(
    role: str, architecture: str, stage: Stage, places: Places, context: Context
) -> Initialised:
    """The network as its training began: where a state is there, it brings the weights itself."""
    folder = places.run if role == "student" else places.teacher
    record, goes_on = folder / INITIAL_FILE, (folder / STATE_FILE).exists()
    classes = len(context.dataset.index.classes)
    torch.manual_seed(context.seed)
    if goes_on and record.exists():
        try:
            source = str(read_json(record)["initial_weights"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{record} does not name the weights that the training began with ({error}). "
                "Remove it; then the weights that are found now are named instead."
            ) from error
        return Initialised(initialise(architecture, classes, "random").model, source)
    initial = initialise(architecture, classes, stage.weights, places.weights)
    if not goes_on:
        note(f"{role} {architecture} starts from {initial.source}")
        if rank_and_world()[0] == 0:
            write_json(record, {"initial_weights": initial.source})
    return initial


def _forget_state(folder: Path) -> None:
    wait_for_all()
    if rank_and_world()[0] == 0:
        (folder / STATE_FILE).unlink(missing_ok=True)
        (folder / INITIAL_FILE).unlink(missing_ok=True)  # metrics.json names them from here on
