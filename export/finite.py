"""Finds what is infinite or not a number in a network before any file is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from distill.models import Classifier
from export.deployable import Deployable
from runtimes.errors import InputError

_NAMED = 5


def check_weights(classifier: Classifier, path: Path) -> None:
    """Checks that all weights and statistics are finite.

    Args:
        classifier: as read.
        path: the file that it was read from, for the message.

    Raises:
        InputError: names the tensors and how many of their values are not.
    """
    counts = {
        name: int((~torch.isfinite(value)).sum())
        for name, value in classifier.state_dict().items()
        if value.is_floating_point()
    }
    bad = [f"{name} ({count} values)" for name, count in counts.items() if count]
    if bad:
        more = f" and {len(bad) - _NAMED} more tensors" if len(bad) > _NAMED else ""
        raise InputError(
            f"{path} holds values that are infinite or not a number: {', '.join(bad[:_NAMED])}"
            f"{more}. No file can be made of them: take it from a copy of the run, or train again."
        )


def check_folded(deployable: Deployable) -> None:
    """Checks that convolutions are still finite with the BatchNorms behind them folded in.

    Raises:
        InputError: names the convolutions that are not.
    """
    values = dict(deployable.trunk.named_parameters())
    bad = sorted({n.rpartition(".")[0] for n, v in values.items() if not torch.isfinite(v).all()})
    if bad:
        raise InputError(
            f"with the BatchNorm behind it folded in, a convolution exceeds what float32 holds: "
            f"{', '.join(bad[:_NAMED])}. Its weights or the scale of its BatchNorm are far too "
            "large: train again with a lower learning rate."
        )


def all_finite(values: Tensor) -> bool:
    """Whether no value is infinite or not a number; mostly one pass without a copy."""
    # The sum of finite values may exceed float32 as well, so a bad one is looked at again.
    return bool(torch.isfinite(values.sum())) or bool(torch.isfinite(values).all())


@contextmanager
def finite_activations(classifier: Classifier, images: str) -> Iterator[None]:
    """Watches every layer while the block runs the network, and stops at the first bad answer.

    Args:
        classifier: what is run.
        images: what it is run on, for the message.

    Raises:
        InputError: a layer answers what is infinite or not a number; it is named as
            `python -m export sensitivity` names it.
    """
    hooks = [
        module.register_forward_hook(partial(_look, name.removeprefix("trunk."), images))
        for name, module in classifier.named_modules()
        if not list(module.children())
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _look(
    name: str, images: str, module: nn.Module, arguments: tuple[Tensor, ...], answer: Tensor
) -> None:
    if not all_finite(answer):
        raise InputError(
            f"the layer {name} ({type(module).__name__}) answers the {images} with values that are "
            "infinite or not a number, which no format can store. Its weights or statistics, or "
            "those before it, are far too large: train again with a lower learning rate."
        )
