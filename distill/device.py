"""Where training runs and in which precision."""

from __future__ import annotations

import ctypes
import gc
import os
import platform

import torch
from torch import nn

from runtimes.console import warn
from runtimes.errors import InputError

_CPU = torch.device("cpu")
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # glibc's malloc.h


def choose_device(name: str = "auto") -> torch.device:
    """Returns the device by name; "auto" takes a GPU if there is one.

    On a GPU cuDNN is also told to choose kernels by trial, and to compute float32 as float32.

    Raises:
        InputError: the device is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda"):
        if not torch.cuda.is_available():
            raise InputError(f"device '{name}': no CUDA GPU is visible. Use --device cpu.")
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
        torch.backends.cudnn.benchmark = True  # shapes rest for thousands of steps
        torch.backends.cudnn.allow_tf32 = False  # what is measured in float32 has its digits
        return device
    if name != "cpu":
        raise InputError(f"unknown device '{name}'; possible: auto, cpu, cuda.")
    return torch.device("cpu")


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Returns bfloat16 or float32; "auto" takes bfloat16 where the hardware computes in it.

    Raises:
        InputError: the name is unknown.
    """
    if name not in ("auto", "bf16", "fp32"):
        raise InputError(f"unknown precision '{name}'; possible: auto, bf16, fp32.")
    if name == "fp32" or (name == "auto" and not _has_bfloat16(device)):
        return torch.float32
    return torch.bfloat16


def to_channels_last(module: nn.Module, device: torch.device) -> nn.Module:
    """Moves a module to the device with its kernels in channels-last order; returns it."""
    module.to(device)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


def ready_for_training(module: nn.Module, device: torch.device) -> nn.Module:
    """Moves a module to the device as `to_channels_last` does, and spares a step needless copies.

    A ReLU6 in place overwrites what its gradient needs, so torch copies its input first. Beside its
    input it computes the same bits, and without gradients in place is the faster way.
    """
    for each in module.modules():
        if isinstance(each, nn.Hardtanh):  # which a ReLU6 is
            each.inplace = False
    return to_channels_last(module, device)


def keep_freed_memory(device: torch.device = _CPU) -> None:
    """Lets this process keep the memory that a step frees for the next step, on the CPU.

    Otherwise glibc hands large blocks back to the kernel each time, which fills them with zeros
    before it lends them again. The price is that the process stays as large as it ever was:
    results/main_job/training-speed*.json hold the rate and the peak with and without. Elsewhere
    than on glibc nothing happens.
    """
    if device.type != "cpu" or platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    done = mallopt(_M_MMAP_MAX, 0)  # large blocks come from the heap too
    done &= mallopt(_M_TRIM_THRESHOLD, -1)  # and the heap does not shrink
    if not done:
        warn("glibc did not take the setting that keeps freed memory; steps take longer.")


def give_back_memory() -> None:
    """Hands what is free now back to the kernel, also where `keep_freed_memory` was called."""
    gc.collect()  # traced networks hold each other, and their tensors with them
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
