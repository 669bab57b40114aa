"""The optimizers of a stage."""

from __future__ import annotations

import torch
from tiny_nets import tiny_classifier
from torch import nn
from train_tiny import STAGE

from distill.optimizer import build_optimizer, optimizer_tensors, restore_optimizer
from distill.recipes import Stage


def test_adamw_lets_kernels_decay_and_leaves_norms_and_biases() -> None:
    model = tiny_classifier()
    stage = Stage(STAGE.phases, lr=0.1, optimizer="adamw", weight_decay=0.5)
    optimizer = build_optimizer(model, stage)
    for value in model.parameters():
        value.data.fill_(1.0)
        value.grad = torch.zeros_like(value)
    optimizer.step()
    for name, value in model.named_parameters():
        left = 1.0 if value.ndim <= 1 else 1.0 - 0.1 * 0.5
        assert torch.allclose(value, torch.full_like(value, left)), name


def test_sgd_decays_all_as_the_published_code_does() -> None:
    model = tiny_classifier()
    optimizer = build_optimizer(model, Stage(STAGE.phases, lr=0.1, weight_decay=0.5, momentum=0))
    for value in model.parameters():
        value.data.fill_(1.0)
        value.grad = torch.zeros_like(value)
    optimizer.step()
    for name, value in model.named_parameters():
        assert torch.allclose(value, torch.full_like(value, 1.0 - 0.1 * 0.5)), name


def test_a_fused_optimizer_goes_on_from_its_state() -> None:
    stage = Stage(STAGE.phases, lr=0.1, optimizer="adamw", weight_decay=0.5)

    def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        for value in model.parameters():
            value.grad = torch.linspace(-1, 1, value.numel()).reshape(value.shape)
        optimizer.step()

    def fused(model: nn.Module) -> torch.optim.Optimizer:
        groups = build_optimizer(model, stage).param_groups
        return torch.optim.AdamW([{**group, "fused": True} for group in groups])

    whole, resumed = tiny_classifier(), tiny_classifier()
    optimizer = fused(whole)
    step(whole, optimizer)
    resumed.load_state_dict(whole.state_dict())
    other = fused(resumed)
    restore_optimizer(other, {k: v.clone() for k, v in optimizer_tensors(optimizer).items()})
    for model, run in ((whole, optimizer), (resumed, other)):
        step(model, run)
    for (name, value), again in zip(whole.named_parameters(), resumed.parameters(), strict=True):
        assert torch.equal(value, again), name
