"""The optimizer of a stage, and its state as named tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from distill.recipes import Stage


def build_optimizer(module: nn.Module, stage: Stage) -> torch.optim.Optimizer:
    """Builds the stage's optimizer over the trained parameters of a task.

    "sgd" decays every parameter, as the paper's code does. "adamw" (Loshchilov and Hutter 2019)
    decays matrices and kernels only: a BatchNorm's scale is no weight to be kept small.
    """
    trained = [value for value in module.parameters() if value.requires_grad]
    if stage.optimizer == "sgd":
        return torch.optim.SGD(
            trained, lr=stage.lr, momentum=stage.momentum, weight_decay=stage.weight_decay
        )
    decayed = [value for value in trained if value.ndim > 1]
    others = [value for value in trained if value.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
    on_gpu = all(value.is_cuda for value in trained)  # one launch for many parameters
    return torch.optim.AdamW(groups, lr=stage.lr, weight_decay=stage.weight_decay, fused=on_gpu)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Returns the state of every parameter as "NUMBER.NAME" to tensor, e.g. "3.exp_avg"."""
    return {
        f"{number}.{name}": value
        for number, parameter in enumerate(_parameters(optimizer))
        for name, value in optimizer.state[parameter].items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Takes back what `optimizer_tensors` gave."""
    parameters = _parameters(optimizer)
    fused = any(group.get("fused") for group in optimizer.param_groups)
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        parameter = parameters[int(number)]
        if value.shape == parameter.shape:  # on its device and in its memory layout
            value = torch.empty_like(parameter, requires_grad=False).copy_(value)
        elif fused:
            value = value.to(parameter.device)  # a fused step counts on the device
        optimizer.state[parameter][name] = value


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [value for group in optimizer.param_groups for value in group["params"]]
