"""Stops a training whose loss is no longer finite, without waiting for the device at every step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from runtimes.errors import InputError


class DivergedError(InputError):
    """A training whose loss or weights are no longer finite."""


class DivergenceWatch:
    """Remembers the terms of the steps since the last look, on the device they were computed on."""

    def __init__(self) -> None:
        self._steps: list[tuple[int, float, dict[str, Tensor]]] = []

    def saw(self, step: int, lr: float, terms: dict[str, Tensor]) -> None:
        """Takes the detached terms of a step, counted from 1."""
        self._steps.append((step, lr, terms))

    def check(self, module: nn.Module, place: str) -> None:
        """Looks at all steps since the last look, and at the weights that they led to.

        Raises:
            DivergedError: names the first step, the term and the learning rate that broke it.
        """
        steps, self._steps = self._steps, []
        if not steps:
            return
        losses = torch.stack([value.float() for _, _, terms in steps for value in terms.values()])
        weights = torch.stack([value.detach().float().sum() for value in module.parameters()])
        if bool(torch.isfinite(torch.cat((losses, weights))).all()):
            return
        for step, lr, terms in steps:
            broken = [name for name, value in terms.items() if not bool(torch.isfinite(value))]
            if broken:
                raise DivergedError(_told(place, f"{', '.join(broken)} is not finite", step, lr))
        step, lr, _ = steps[-1]
        raise DivergedError(_told(place, "weights are not finite after the gradients", step, lr))


def _told(place: str, what: str, step: int, lr: float) -> str:
    return (
        f"training in {place} diverged: {what} in step {step}, at a learning rate of {lr:.3g}. "
        "Lower `lr` in the budget, or set `grad_clip`, and begin again in another folder; the "
        "last state on disk is from before that step."
    )
