"""The training loop: one for every method, for teachers and students, on one process or many.

Every random draw is a function of (seed, epoch, step), so that a run can stop after any step and go
on to the same weights.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from distill import losses
from distill.augment import Augmentation, make_views
from distill.dataset import Dataset, DeviceImages
from distill.device import ready_for_training
from distill.divergence import DivergenceWatch
from distill.inference import predict_logits
from distill.optimizer import build_optimizer
from distill.parallel import any_process, from_first_process, rank_and_world, with_global_batchnorm
from distill.provenance import provenance
from distill.recipes import Phase, Stage
from distill.runlog import RunLog
from distill.schedule import Epoch, LearningRate, plan_epochs
from distill.tasks import Task
from distill.trainstate import TrainState, load_state, save_state, settings_of
from runtimes.console import note, progress
from runtimes.errors import DermportError, InputError

_SAVE_EVERY_SECONDS = 300.0
_LOOK_EVERY_STEPS = 20


class Stopped(DermportError):
    """The time budget ended or the process was asked to stop; the state is on disk."""

    exit_code = 0


class Deadline:
    """When to stop: after a time budget, or when the process is asked to by a signal."""

    def __init__(self, seconds: float | None = None) -> None:
        self._end = math.inf if seconds is None else time.monotonic() + seconds
        self.interrupted = False

    def passed(self) -> bool:
        """Whether training should stop after this step."""
        return self.interrupted or time.monotonic() >= self._end

    @contextmanager
    def catching_signals(self) -> Iterator[None]:
        """Turns SIGTERM or Ctrl-C into a stop after the running step; a second stops at once."""

        def stop(number: int, frame: FrameType | None) -> None:
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupted = True

        before = {name: signal.signal(name, stop) for name in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)


@dataclass(frozen=True)
class Context:
    """What all stages of a run share.

    Attributes:
        dataset: index, split and cache.
        images: the decoded images on the device.
        augmentation: see `Augmentation`.
        seed: of the run.
        precision: bfloat16 for autocast, or float32.
        deadline: when to stop.
        compile: whether the task is compiled with torch.compile.
        provenance: versions and commit at the start of the run.
    """

    dataset: Dataset
    images: DeviceImages
    augmentation: Augmentation
    seed: int
    precision: torch.dtype
    deadline: Deadline = field(default_factory=Deadline)
    compile: bool = False
    provenance: dict[str, Any] = field(default_factory=provenance)


def validate(task: Task, epoch: Epoch, context: Context) -> dict[str, float]:
    """Scores of the model on the validation side, at the size of the epoch."""
    rows = context.dataset.rows("validation")
    target = torch.from_numpy(context.dataset.labels("validation"))
    size, precision = epoch.phase.size, context.precision
    logits = predict_logits(task.model, context.images, rows, size, precision)
    return scores(logits, target, task.class_weight.cpu())


def scores(logits: Tensor, target: Tensor, class_weight: Tensor) -> dict[str, float]:
    """Weighted loss, accuracy and balanced accuracy of logits (n, K) for classes (n,)."""
    right = logits.argmax(1) == target
    recalls = [right[target == label].double().mean() for label in target.unique()]
    return {
        "weighted_loss": float(losses.weighted_cross_entropy(logits, target, class_weight)),
        "accuracy": float(right.double().mean()),
        "balanced_accuracy": float(torch.stack(recalls).mean()),
    }


def train(
    task: Task,
    stage: Stage,
    folder: Path,
    context: Context,
    judge: Callable[[Task, Epoch, Context], dict[str, float]] = validate,
) -> None:
    """Trains `task` through the phases of `stage` and leaves the best weights in `task.model`.

    Writes log.jsonl and state.safetensors into `folder`; goes on from the state if there is one.

    Args:
        task: what is trained.
        stage: how.
        folder: of the run.
        context: data, seed and deadline.
        judge: measures the model after each epoch; `stage.select` is one of its keys.

    Raises:
        Stopped: the deadline passed; the state is on disk and the same call goes on from it.
        InputError: the state belongs to another setting, or the loss is no longer finite.
    """
    device, rank = context.images.device, rank_and_world()[0]
    ready_for_training(task, device)
    with_global_batchnorm(task)
    rows = torch.from_numpy(context.dataset.rows("train")).to(device)
    labels = torch.from_numpy(context.dataset.labels("train")).to(device)
    plan = plan_epochs(stage.phases, len(rows))
    total = plan[-1].before + plan[-1].steps
    optimizer = build_optimizer(task, stage)
    rate = LearningRate(stage)
    settings = settings_of(task, stage, context.precision)
    state = load_state(folder, task, optimizer, rate, settings) or TrainState()
    if state.step:
        note(f"{folder.name} goes on from step {state.step:,} of {total:,}")
    log = RunLog(folder / "log.jsonl", keep_until=state.step, writes=rank == 0)
    forward = _wrapped(task, stage, context)
    saved, started, seconds_before = time.monotonic(), time.monotonic(), state.seconds
    ended = stage.early_stop is not None and state.epochs_waited >= stage.early_stop
    watch = DivergenceWatch()

    def save() -> None:
        nonlocal saved
        watch.check(task, str(folder))  # a state on disk is a good one
        saved = time.monotonic()
        state.seconds = seconds_before + saved - started
        if rank == 0:
            save_state(folder, task, optimizer, rate, settings, state)

    with progress(f"training {folder.name}", total, done=state.step) as bar:
        for epoch in plan:
            if epoch.before + epoch.steps <= state.step or ended:
                continue
            order = _order(context.seed, epoch.number, rows)
            task.train()
            for step in range(state.step - epoch.before, epoch.steps):
                lr = rate.at(step, epoch)
                for group in optimizer.param_groups:
                    group["lr"] = lr
                chosen = _part(order, step, epoch.phase.batch)
                seeds = (context.seed, epoch.number, step)
                views = draw_views(rows[chosen], epoch.phase, seeds, context)
                terms = training_step(forward, optimizer, views, labels[chosen], stage, context)
                state.count(terms)
                watch.saw(state.step, lr, terms)
                looks = state.step % _LOOK_EVERY_STEPS == 0
                if looks:
                    watch.check(task, str(folder))
                loss = f"loss {float(sum(terms.values())):.3f}" if looks else ""
                bar.advance(text=loss)
                # After its last step an epoch is closed first: validation, best weights, log.
                unfinished = state.step < epoch.before + epoch.steps
                if unfinished and (looks or rank_and_world()[1] == 1):
                    if any_process(context.deadline.passed(), device):
                        save()
                        raise Stopped(_stopped(folder, state.step, total))
                    if time.monotonic() - saved > _SAVE_EVERY_SECONDS:
                        save()
            watch.check(task, str(folder))
            validation = from_first_process(judge(task, epoch, context))
            terms_mean = state.mean_terms()
            improved = state.epoch_ended(task.model, stage, epoch, validation)
            rate.epoch_ended(validation["weighted_loss"])
            state.seconds = seconds_before + time.monotonic() - started
            log.epoch(folder.name, epoch, state, terms_mean, lr, validation, improved)
            note(_line(epoch, len(plan), terms_mean, validation, improved))
            ended = stage.early_stop is not None and state.epochs_waited >= stage.early_stop
            save()
            goes_on = not ended and epoch is not plan[-1]
            if goes_on and any_process(context.deadline.passed(), device):
                raise Stopped(_stopped(folder, state.step, total))
    state.load_best(task.model)


def training_step(
    forward: Callable[..., Any],
    optimizer: torch.optim.Optimizer,
    views: Tensor,
    target: Tensor,
    stage: Stage,
    context: Context,
) -> dict[str, Tensor]:
    """Takes one step of the optimizer and returns the weighted terms, detached.

    Args:
        forward: the task, perhaps compiled or distributed.
        optimizer: over the task's parameters.
        views: normalised, (n·v, 3, S, S).
        target: class numbers, (n,).
        stage: for the gradient's largest norm.
        context: for device and precision.
    """
    enabled = context.precision != torch.float32
    with torch.autocast(context.images.device.type, context.precision, enabled=enabled):
        terms = forward(views, target)
    loss = torch.stack(list(terms.values())).sum()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if stage.grad_clip is not None:
        parameters = [value for group in optimizer.param_groups for value in group["params"]]
        nn.utils.clip_grad_norm_(parameters, stage.grad_clip)
    optimizer.step()
    return {name: value.detach() for name, value in terms.items()}


def draw_views(rows: Tensor, phase: Phase, seeds: Sequence[int], context: Context) -> Tensor:
    """Draws the augmented views of some cache rows, (n·v, 3, S, S); `seeds` decides every draw."""
    augmentation, networks = np.random.SeedSequence(seeds).generate_state(2)
    generator = torch.Generator(rows.device).manual_seed(int(augmentation))
    rank, world = rank_and_world()
    torch.manual_seed(int(networks) + rank)  # dropout and stochastic depth inside the networks
    pixels = context.images.batch(rows)
    return make_views(
        pixels, phase.size, phase.views, context.augmentation, generator, (rank, world)
    )


def _wrapped(task: nn.Module, stage: Stage, context: Context) -> Callable[..., Any]:
    forward: Callable[..., Any] = task
    if rank_and_world()[1] > 1:
        rests = any(phase.views == 1 for phase in stage.phases)
        device = context.images.device
        forward = DistributedDataParallel(
            task,
            device_ids=[device.index] if device.type == "cuda" else None,
            broadcast_buffers=False,  # the statistics are global already
            find_unused_parameters=rests and getattr(task, "head", None) is not None,
        )
    return torch.compile(forward) if context.compile else forward


def _order(seed: int, epoch: int, rows: Tensor) -> Tensor:
    order = np.random.Generator(np.random.PCG64([seed, epoch])).permutation(len(rows))
    return torch.from_numpy(order).to(rows.device)


def _part(order: Tensor, step: int, batch: int) -> Tensor:
    """This process's share of the step's global batch."""
    rank, world = rank_and_world()
    batch = min(batch, len(order))
    if batch % world:
        raise InputError(
            f"a batch of {batch} images does not divide among {world} processes; "
            "change `batch` in the budget or the number of processes."
        )
    share = batch // world
    start = step * batch + rank * share
    return order[start : start + share]


def _stopped(folder: Path, step: int, total: int) -> str:
    return (
        f"stopped after step {step} of {total} of {folder.name}; the state is in "
        f"{folder / 'state.safetensors'}. Run the same command with --resume to go on."
    )


def _line(
    epoch: Epoch, epochs: int, terms: dict[str, float], validation: dict[str, Any], best: bool
) -> str:
    shown = " ".join(f"{name} {value:.3f}" for name, value in terms.items())
    figures = (
        f"ACC {100 * validation['accuracy']:.1f} "
        f"BACC {100 * validation['balanced_accuracy']:.1f} "
        f"loss {validation['weighted_loss']:.3f}"
    )
    known = ("accuracy", "balanced_accuracy", "weighted_loss")
    more = (f" {name} {value:.5f}" for name, value in validation.items() if name not in known)
    figures += "".join(more)
    mark = " *" if best else ""
    return f"epoch {epoch.number + 1}/{epochs} at {epoch.phase.size} px: {shown} | {figures}{mark}"
