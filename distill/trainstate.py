"""The state of a training run between two steps, kept on disk as safetensors."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from distill.checkpoint import header_json, load_tensors, save_tensors, weights_sha256
from distill.optimizer import optimizer_tensors, restore_optimizer
from distill.recipes import DIVERGENCE, Stage
from distill.schedule import Epoch, LearningRate
from distill.settings import plain
from runtimes.errors import InputError

STATE_FILE = "state.safetensors"


@dataclass
class TrainState:
    """What changes from step to step beside weights and momentum.

    Attributes:
        step: steps done, over all epochs.
        seconds: wall-clock time spent.
        best: best value of the selection so far; None before the first epoch of the last size.
        best_epoch: its epoch, from 0.
        best_weights: the model's tensors then.
        epochs_waited: epochs since.
        sums: name to the sum of a term over the running epoch's steps (0-dim tensor).
        counts: name to the number of steps that had the term.
    """

    step: int = 0
    seconds: float = 0.0
    best: float | None = None
    best_epoch: int = -1
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    epochs_waited: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, terms: dict[str, Tensor]) -> None:
        """Counts one step; the sums stay on the device."""
        self.step += 1
        for name, value in terms.items():
            value = value.detach().double()
            self.sums[name] = self.sums[name] + value if name in self.sums else value
            self.counts[name] = self.counts.get(name, 0) + 1

    def mean_terms(self) -> dict[str, float]:
        """Mean of each weighted term over the steps of the epoch."""
        return {name: float(total) / self.counts[name] for name, total in self.sums.items()}

    def epoch_ended(
        self, model: nn.Module, stage: Stage, epoch: Epoch, validation: dict[str, float]
    ) -> bool:
        """Closes the epoch and keeps the weights if they are the best of the last size."""
        self.sums, self.counts = {}, {}
        if not epoch.last_size:
            return False
        value = validation[stage.select]
        lower_is_better = stage.select in ("weighted_loss", DIVERGENCE)
        better = self.best is None or (value < self.best if lower_is_better else value > self.best)
        self.epochs_waited = 0 if better else self.epochs_waited + 1
        if better:
            self.best, self.best_epoch = value, epoch.number
            tensors = model.state_dict().items()
            self.best_weights = {key: tensor.detach().clone() for key, tensor in tensors}
        return better

    def load_best(self, model: nn.Module) -> None:
        """Puts the best weights into the model and switches it to evaluation."""
        model.load_state_dict(self.best_weights)
        model.eval()


def save_state(
    folder: Path,
    task: nn.Module,
    optimizer: torch.optim.Optimizer,
    rate: LearningRate,
    settings: str,
    state: TrainState,
) -> None:
    """Writes weights, the optimizer's and all other state in one step."""
    tensors = {f"task.{key}": value for key, value in task.state_dict().items()}
    tensors |= {f"optimizer.{key}": value for key, value in optimizer_tensors(optimizer).items()}
    tensors |= {f"best.{key}": value for key, value in state.best_weights.items()}
    tensors |= {f"sum.{key}": value for key, value in state.sums.items()}
    about = {
        "step": state.step,
        "seconds": state.seconds,
        "best": state.best,
        "best_epoch": state.best_epoch,
        "epochs_waited": state.epochs_waited,
        "counts": state.counts,
        "rate": rate.state(),
        "settings": settings,
    }
    save_tensors(folder / STATE_FILE, tensors, {"state": json.dumps(about)})


def load_state(
    folder: Path,
    task: nn.Module,
    optimizer: torch.optim.Optimizer,
    rate: LearningRate,
    settings: str,
) -> TrainState | None:
    """Restores what `save_state` wrote; None where nothing was written.

    Raises:
        InputError: the state was written under other settings, or is damaged.
    """
    path = folder / STATE_FILE
    if not path.exists():
        return None
    tensors, header = load_tensors(path)
    about = header_json(header, "state", path)
    if about.get("settings") != settings:
        raise InputError(
            f"{path} was written with other settings (stage, networks, teacher, loss terms or "
            "precision). Go on with the options that it began with, or choose another --out."
        )
    parts: dict[str, dict[str, Tensor]] = {"task": {}, "optimizer": {}, "best": {}, "sum": {}}
    for key, value in tensors.items():
        kind, _, name = key.partition(".")
        parts[kind][name] = value
    task.load_state_dict(parts["task"])
    restore_optimizer(optimizer, parts["optimizer"])
    rate.restore(about["rate"])
    device = next(task.parameters()).device
    return TrainState(
        step=about["step"],
        seconds=about["seconds"],
        best=about["best"],
        best_epoch=about["best_epoch"],
        best_weights={key: value.to(device) for key, value in parts["best"].items()},
        epochs_waited=about["epochs_waited"],
        sums={key: parts["sum"][key].to(device) for key in about["counts"]},
        counts=about["counts"],
    )


def settings_of(task: nn.Module, stage: Stage, precision: torch.dtype) -> str:
    """Hashes what a state depends on: stage, shapes, method, the teacher's weights, precision."""
    shapes = {key: list(value.shape) for key, value in task.state_dict().items()}
    method = plain(getattr(task, "method", None))
    digest = hashlib.sha256(json.dumps([plain(stage), shapes, method], sort_keys=True).encode())
    digest.update(str(precision).encode())
    teacher = getattr(task, "teacher", None)
    if teacher is not None:
        digest.update(weights_sha256(teacher.model).encode())
    return digest.hexdigest()
