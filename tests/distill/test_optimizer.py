"""The optimizers of a stage."""

from __future__ import annotations

import torch
from tiny_nets import tiny_classifier
from train_tiny import STAGE

from distill.optimizer import build_optimizer
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
