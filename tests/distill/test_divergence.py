"""A loss that is no longer finite ends the training and names its step; the good state stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from train_tiny import STAGE, train_tiny

from distill.checkpoint import load_tensors
from distill.dataset import Dataset
from distill.divergence import DivergenceWatch
from runtimes.errors import InputError


def test_the_first_broken_step_its_term_and_rate_are_named() -> None:
    watch, good = DivergenceWatch(), torch.tensor(1.0)
    watch.saw(1, 0.5, {"wce": good, "drkd": good})
    watch.check(nn.Linear(2, 2), "runs/x")
    watch.saw(2, 0.25, {"wce": good, "drkd": torch.tensor(float("nan"))})
    watch.saw(3, 0.125, {"wce": torch.tensor(float("inf")), "drkd": good})
    with pytest.raises(InputError, match=r"runs/x diverged: drkd .* step 2.* rate of 0\.25"):
        watch.check(nn.Linear(2, 2), "runs/x")


def test_broken_weights_are_seen_before_the_loss_is() -> None:
    watch, layer = DivergenceWatch(), nn.Linear(2, 2)
    nn.init.constant_(layer.bias, float("nan"))
    watch.saw(7, 0.5, {"wce": torch.tensor(1.0)})
    with pytest.raises(InputError, match="weights are not finite after the gradients in step 7"):
        watch.check(layer, "runs/x")


def test_the_last_state_on_disk_is_a_good_one(dataset: Dataset, tmp_path: Path) -> None:
    # The rate explodes in the second phase only: after two saved epochs.
    first, second = STAGE.phases
    stage = replace(STAGE, phases=(first, replace(second, lr_scale=1e30)))
    with pytest.raises(InputError, match="diverged"):
        train_tiny(dataset, tmp_path, stage=stage)
    tensors, _ = load_tensors(tmp_path / "state.safetensors")
    assert tensors
    assert all(bool(torch.isfinite(value).all()) for value in tensors.values())
