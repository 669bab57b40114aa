"""From a finished run to weights and ranges that were trained for its int8 files."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import fx

from distill.checkpoint import STUDENT_FILE
from distill.comparison import read_student
from distill.dataset import Dataset, open_dataset, to_device
from distill.device import to_channels_last
from distill.inference import predict_logits
from distill.pipeline import class_weight, load_teacher
from distill.recipes import DIVERGENCE, Phase, Recipe, Stage, read_recipe
from distill.runlog import read_log
from distill.schedule import plan_epochs
from distill.tasks import FrozenTeacher
from distill.train import Context, Deadline, train
from distill.trainstate import STATE_FILE
from export.conversions import Conversions
from export.deployable import Deployable
from export.finite import check_weights
from export.image_set import draw_at_random
from export.quantization.aware.network import (
    aware_trunk,
    measure,
    trained_parameters,
    trained_ranges,
)
from export.quantization.aware.record import AWARE_FILE, write_aware
from export.quantization.aware.sites import find_sites
from export.quantization.aware.task import AwareTask, DeployedClassifier, Judge, Signals, frozen
from export.quantization.calibration_set import draw_calibration_set, read_calibration_set
from runtimes.atomic import check_apart, replacing_file, write_json
from runtimes.console import note
from runtimes.contract import Contract
from runtimes.errors import GateError, InputError
from runtimes.hashes import sha256_of
from runtimes.locks import alone_in

RECORD_FILE = "finetune.json"
_LOG_FILE = "log.jsonl"
# What a training state depends on, beside its stage, its signals and its student.
_DECISIVE = ("images_per_class", "calibration_images", "validation_images", "seed")


@dataclass(frozen=True)
class Settings:
    """How long and on what a student is fine-tuned for int8.

    Attributes:
        epochs: passes over the training images; fractions are allowed.
        images_per_class: at most this many training images of each class.
        batch: images a step.
        lr: largest learning rate, in int8 steps.
        validation_images: on which the best epoch is chosen.
        calibration_images: training images that the first ranges and biases come from.
        seed: of all draws.
        signals: see `Signals`.
    """

    epochs: float = 3.0
    images_per_class: int = 256
    batch: int = 16
    lr: float = 0.0005
    validation_images: int = 512
    calibration_images: int = 256
    seed: int = 0
    signals: Signals = field(default_factory=Signals)

    def __post_init__(self) -> None:
        for name, smallest in (("images_per_class", 2), ("batch", 1), ("validation_images", 1)):
            if getattr(self, name) < smallest:
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} is {getattr(self, name)}, expected {smallest} or more.")


def finetune(
    run: Path,
    out: Path,
    settings: Settings,
    device: torch.device,
    *,
    data: Path | None = None,
    teacher: Path | None = None,
    deadline: Deadline | None = None,
    resume: bool = False,
) -> dict[str, Any]:
    """Writes aware.safetensors, finetune.json and log.jsonl; returns what finetune.json says.

    It starts where post-training quantization ends: channels equalized, streams levelled, biases
    corrected, sums of depthwise kernels kept, ranges measured. A signal stops it at once before its
    first step, and after the running step from there on.

    Args:
        run: a finished run, or a released model with `data`.
        out: folder of the fine-tuning.
        settings: see `Settings`.
        device: where the student is trained.
        data: where the run's data set lies now.
        teacher: folder of the run's teacher, which then takes part.
        deadline: when to stop; the state on disk is gone on from with `resume`.
        resume: whether unfinished work in `out` is gone on with.

    Raises:
        InputError: no finished run, a network whose ranges cannot be learned, a folder that holds
            something else, or a teacher that does not fit.
        Stopped: the deadline passed after a step.
        GateError: no epoch brought the rounded student closer to the float one.
    """
    classifier, contract = read_student(run)
    check_weights(classifier, run / STUDENT_FILE)
    find_sites(fx.symbolic_trace(Deployable(classifier, 1.0).trunk))
    check_apart(out, run)
    _check_folder(out, resume)
    recipe = read_recipe(run / "recipe.yaml")
    dataset = open_dataset(run, data)
    busy = f"another fine-tuning works in {out}. Wait for it, or name another folder with --out."
    with alone_in(out, busy):
        _check_folder(out, resume)
        context = _context(dataset, recipe, settings, device, deadline or Deadline())
        exact = DeployedClassifier(Deployable(classifier, 1.0))
        to_channels_last(exact, device)
        judge = _judge(exact, contract, dataset, context, settings)
        student = {
            "run": run.resolve().name,
            "architecture": classifier.architecture,
            "sha256": sha256_of(run / STUDENT_FILE),
        }
        taught = None if teacher is None else _teacher(teacher, recipe, context)
        about = {name: getattr(settings, name) for name in _DECISIVE}
        about |= {"student": student["sha256"], "split": dataset.split.sha256}
        weight = class_weight(context.dataset.class_counts(), recipe.budget.student.class_weights)
        drawn = draw_calibration_set(dataset, settings.calibration_images, settings.seed)
        calibration, images = read_calibration_set(dataset, drawn, contract.preprocessing)
        network = Conversions(classifier, contract, images).trainable_network()
        first = measure(network.trunk, images)
        trunk = aware_trunk(network.trunk, first)
        model = DeployedClassifier(network.with_trunk(trunk))
        task = AwareTask(model, frozen(exact), settings.signals, weight, taught, about)
        to_channels_last(task, device)
        stage = _stage(settings, contract.preprocessing.size)
        (epoch, *_) = plan_epochs(stage.phases, len(context.dataset.rows("train")))
        before = judge(task, epoch, context)
        note(f"before: {_told(before)}")
        _check_time(context.deadline)
        with context.deadline.catching_signals():
            train(task, stage, out, context, judge)
        after = judge(task, epoch, context)
        note(f"after: {_told(after)}")
        if after["divergence"] >= before["divergence"]:
            (out / STATE_FILE).unlink(missing_ok=True)
            raise GateError(
                f"{out}: no epoch brought the rounded student closer to the float one (KL "
                f"{before['divergence']:.5f} nats before, {after['divergence']:.5f} at best), so "
                f"no {AWARE_FILE} is written. Try a lower --lr or more --epochs."
            )
        learned = trained_ranges(trunk.cpu(), first.sites)
        parameters = trained_parameters(trunk)
        document = {
            "student": student,
            "teacher": None if taught is None else recipe.pair.teacher,
            "settings": asdict(settings),
            "calibration": calibration.to_json(),
            "validation": {"before": before, "after": after},
            **_record(out, context),
        }
        with replacing_file(out / AWARE_FILE) as finished:  # last: with it the folder is finished
            write_aware(finished, student, parameters, learned)
            document["sha256"] = sha256_of(finished)
            write_json(out / RECORD_FILE, document)
        (out / STATE_FILE).unlink(missing_ok=True)
    return document


def _check_folder(out: Path, resume: bool) -> None:
    """Checks that a fine-tuning may write into a folder.

    Raises:
        InputError: it holds a finished one, an unfinished one without `resume`, or something else.
    """
    if not out.is_dir():
        return
    if (out / AWARE_FILE).exists():
        raise InputError(
            f"{out} holds a finished fine-tuning. Export it with `python -m export run RUN --aware "
            f"{out}`, or name another folder with --out."
        )
    own = (STATE_FILE, RECORD_FILE, _LOG_FILE)
    foreign = sorted(
        each.name
        for each in out.iterdir()
        if each.name not in own and not each.name.startswith(".")
    )
    if foreign:
        raise InputError(
            f"{out} holds something else ({foreign[0]}). Name a new folder with --out."
        )
    if (out / STATE_FILE).exists() and not resume:
        raise InputError(
            f"{out} holds an unfinished fine-tuning. Go on with --resume, or choose another --out."
        )


def _check_time(deadline: Deadline) -> None:
    """Checks that there is time for a first step.

    Raises:
        InputError: there is none, and a resume would find nothing to go on from.
    """
    if deadline.passed():
        raise InputError(
            "--time-budget passed before the first step, while images and ranges were read; "
            "nothing was trained. Give more time."
        )


def _context(
    dataset: Dataset, recipe: Recipe, settings: Settings, device: torch.device, deadline: Deadline
) -> Context:
    fewer = [n for n in (dataset.per_class, settings.images_per_class) if n is not None]
    return Context(
        dataset=replace(dataset, per_class=min(fewer)),
        images=to_device(dataset, device),
        augmentation=recipe.budget.augmentation,
        seed=settings.seed,
        precision=torch.float32,  # bfloat16 rounds as coarsely as int8 does
        deadline=deadline,
    )


def _judge(
    exact: DeployedClassifier,
    contract: Contract,
    dataset: Dataset,
    context: Context,
    settings: Settings,
) -> Judge:
    drawn = draw_at_random(dataset, "validation", settings.validation_images, settings.seed)
    label = dict(zip(dataset.ids("validation"), dataset.labels("validation"), strict=True))
    rows, size = dataset.cache.rows(drawn.ids), contract.preprocessing.size
    logits = predict_logits(exact, context.images, rows, size)
    target = torch.tensor([int(label[image]) for image in drawn.ids])
    return Judge(rows, target, logits, contract.calibration.temperature)


def _teacher(folder: Path, recipe: Recipe, context: Context) -> FrozenTeacher:
    model, size = load_teacher(folder, recipe.pair.teacher, context)
    to_channels_last(model, context.images.device)
    return FrozenTeacher(model, None, size)


def _stage(settings: Settings, size: int) -> Stage:
    return Stage(
        phases=(Phase(settings.epochs, size, settings.batch),),
        lr=settings.lr,
        optimizer="adamw",
        weight_decay=0.0,
        schedule="cosine",
        warmup=0.1,
        select=DIVERGENCE,
    )


def _record(out: Path, context: Context) -> dict[str, Any]:
    dataset, columns = context.dataset, ("step", "seconds", "lr", "terms", "validation", "best")
    rows = read_log(out / _LOG_FILE)
    return {
        "split": {"protocol": dataset.split.protocol, "sha256": dataset.split.sha256},
        "synthetic": dataset.index.synthetic,
        "training_images": len(dataset.rows("train")),
        "epochs": [{key: row[key] for key in columns} for row in rows],
        "provenance": context.provenance,
    }


def _told(found: dict[str, float]) -> str:
    return (
        f"KL to the float student {found['divergence']:.5f} nats, same first diagnosis "
        f"{100 * found['agreement']:.1f} %, BACC {100 * found['balanced_accuracy']:.1f}"
    )
