"""Where training runs, and that a step finds the memory of the last one."""

from __future__ import annotations

import platform
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from distill.device import choose_device, ready_for_training, to_channels_last
from distill.models import build_classifier
from runtimes.errors import InputError

# Faults of 20 rounds that each take and free 64 MB, after the first five.
_ROUNDS = """
import resource, sys, torch
from distill.device import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory(torch.device("cpu"))
def take():
    return torch.ones(1 << 24).sum()
for _ in range(5):
    take()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    take()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is set")
def test_freed_memory_is_taken_again() -> None:
    faults = {
        way: int(subprocess.check_output([sys.executable, "-c", _ROUNDS, way], text=True))
        for way in ("kept", "given back")
    }
    assert faults["kept"] < faults["given back"] / 2  # all but a few rounds, where the heap moved


def test_unknown_device_is_refused() -> None:
    with pytest.raises(InputError, match="possible: auto, cpu, cuda"):
        choose_device("tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_missing_gpu_is_told_with_the_remedy() -> None:
    with pytest.raises(InputError, match="--device cpu"):
        choose_device("cuda")


class _Copies(TorchDispatchMode):
    """Counts copies of whole tensors."""

    number = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.number += func._schema.name == "aten::clone"
        return func(*args, **(kwargs or {}))


def test_a_training_step_copies_no_activation_and_has_the_same_gradients() -> None:
    images, gradients, copies = torch.rand(4, 3, 64, 64), [], []
    for prepare in (to_channels_last, ready_for_training):
        torch.manual_seed(0)
        model = prepare(build_classifier("mobilenet_v2", 8), torch.device("cpu")).train()
        with _Copies() as counted:
            loss = model(images).logits.square().sum()
        loss.backward()
        gradients.append([value.grad for value in model.parameters()])
        copies.append(counted.number)
    assert copies[0] >= 35  # one a ReLU6: what is saved is really there
    assert copies[1] == 0
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))
