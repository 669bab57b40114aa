"""Several processes that train as one: torch's DistributedDataParallel with global terms.

Every process computes the whole loss from the gathered outputs of the global batch. Gathering sums
the gradients of all processes' losses, and DistributedDataParallel divides them by their number, so
the step is that of one process with the global batch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

T = TypeVar("T")


def rank_and_world() -> tuple[int, int]:
    """This process's number and how many there are; (0, 1) outside torchrun."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Joins the processes that torchrun started, if any, for the length of the block."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        yield
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def gather(local: Tensor) -> Tensor:
    """Rows of all processes in order, (n, ...) to (world·n, ...), with gradients."""
    return local if rank_and_world()[1] == 1 else _Gather.apply(local.contiguous())


def mean_over_processes(local: Tensor) -> Tensor:
    """Mean of a tensor over all processes, with gradients."""
    return local if rank_and_world()[1] == 1 else _Mean.apply(local)


def any_process(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set in any process, the same answer in all of them."""
    if rank_and_world()[1] == 1:
        return flag
    value = torch.tensor(float(flag), device=device)
    dist.all_reduce(value, op=dist.ReduceOp.MAX)
    return bool(value.item())


def first_process_first(work: Callable[..., T], *arguments: Any, **settings: Any) -> T:
    """Calls `work` in the first process and then in the others, which find what it left on disk."""
    rank = rank_and_world()[0]
    result = work(*arguments, **settings) if rank == 0 else None
    wait_for_all()
    return work(*arguments, **settings) if result is None else result


def from_first_process(value: T) -> T:
    """The first process's value in all of them, so that decisions made from it are the same."""
    if rank_and_world()[1] == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def with_global_batchnorm(module: nn.Module) -> nn.Module:
    """Replaces every BatchNorm2d by one whose statistics are those of the global batch.

    torch's SyncBatchNorm does this on GPUs; on the CPU it refuses, so there `_GlobalBatchNorm2d`.
    """
    if rank_and_world()[1] == 1:
        return module
    if any(parameter.is_cuda for parameter in module.parameters()):
        return nn.SyncBatchNorm.convert_sync_batchnorm(module)
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.BatchNorm2d:
                replacement = _GlobalBatchNorm2d(
                    child.num_features, child.eps, child.momentum, child.affine
                )
                replacement.load_state_dict(child.state_dict())
                setattr(parent, name, replacement)
    return module


def wait_for_all() -> None:
    """Returns when every process has come this far, for example after one wrote a file."""
    if rank_and_world()[1] > 1:
        dist.barrier()


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, local: Tensor) -> Tensor:
        parts = [torch.empty_like(local) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, local)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        total = grad.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.chunk(dist.get_world_size())[dist.get_rank()]


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, local: Tensor) -> Tensor:
        total = local.clone()
        dist.all_reduce(total)
        return total / dist.get_world_size()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        total = grad.clone()
        dist.all_reduce(total)
        return total / dist.get_world_size()


class _GlobalBatchNorm2d(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        values = x.double()  # E[x²] − E[x]² cancels in single precision
        moments = torch.stack([values.mean((0, 2, 3)), (values**2).mean((0, 2, 3))])
        mean, square = mean_over_processes(moments)
        variance = (square - mean**2).clamp(min=0)
        with torch.no_grad():
            count = x.numel() / x.shape[1] * rank_and_world()[1]
            momentum = self.momentum if self.momentum is not None else 0.1
            self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
            unbiased = variance * count / (count - 1)
            self.running_mean.lerp_(mean.float(), momentum)  # type: ignore[union-attr]
            self.running_var.lerp_(unbiased.float(), momentum)  # type: ignore[union-attr]
        scaled = (values - mean[:, None, None]) * torch.rsqrt(variance + self.eps)[:, None, None]
        return (scaled * self.weight[:, None, None] + self.bias[:, None, None]).to(x.dtype)
