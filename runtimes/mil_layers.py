"""MIL operations with weights or windows: convolution, pooling, normalisation, quantization."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from runtimes.mil_arguments import Arguments, Operator, UnsupportedError, along

_INTEGER_RANGES = {"int8": (-128, 127), "uint8": (0, 255)}


def _padding(a: Arguments, x: Tensor, kernel: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the padding as MIL orders it: before and after, first spatial dimension first.

    "same" puts the odd pixel after, "same_lower" before.
    """
    spatial = len(kernel)
    kind = a.text("pad_type", "valid")
    if kind == "custom":
        return a.integers("pad", (0,) * (2 * spatial))
    if kind == "valid":
        return (0,) * (2 * spatial)
    if kind not in ("same", "same_lower"):
        raise UnsupportedError(f"{a.operation} with pad_type {kind}")
    strides = a.integers("strides", (1,) * spatial)
    padding: list[int] = []
    for size, window, stride in zip(x.shape[2:], kernel, strides, strict=True):
        total = max((-(-size // stride) - 1) * stride + window - size, 0)
        less, more = total // 2, total - total // 2
        padding += [less, more] if kind == "same" else [more, less]
    return tuple(padding)


def _pad(x: Tensor, padding: tuple[int, ...], value: float = 0.0) -> Tensor:
    if not any(padding):
        return x
    pairs = [padding[i : i + 2] for i in range(0, len(padding), 2)]
    # torch wants the last dimension first
    return functional.pad(x, [side for pair in reversed(pairs) for side in pair], value=value)


def _conv(a: Arguments) -> Tensor:
    x, weight = a.tensor("x"), a.tensor("weight")
    spatial = x.ndim - 2
    ones = (1,) * spatial
    dilations, groups = a.integers("dilations", ones), a.integer("groups", 1)
    kernel = tuple((k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilations, strict=True))
    padding = _padding(a, x, kernel)
    functions = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
    if spatial not in functions:
        raise UnsupportedError(f"conv of {spatial} spatial dimensions")
    even = padding[::2] == padding[1::2]
    return functions[spatial](
        x if even else _pad(x, padding),
        weight,
        a.optional("bias"),
        stride=a.integers("strides", ones),
        padding=padding[::2] if even else 0,
        dilation=dilations,
        groups=groups,
    )


def _linear(a: Arguments) -> Tensor:
    return functional.linear(a.tensor("x"), a.tensor("weight"), a.optional("bias"))


def _matmul(a: Arguments) -> Tensor:
    x, y = a.tensor("x"), a.tensor("y")
    x = x.transpose(-1, -2) if a.flag("transpose_x", False) else x
    y = y.transpose(-1, -2) if a.flag("transpose_y", False) else y
    return x @ y


def _max_pool(a: Arguments) -> Tensor:
    x, kernel = a.tensor("x"), a.integers("kernel_sizes")
    _check_two_dimensional(a, kernel)
    strides, padding = a.integers("strides", (1, 1)), _padding(a, x, kernel)
    ceil = a.flag("ceil_mode", False)
    if _is_torch_padding(padding, kernel):
        return functional.max_pool2d(x, kernel, strides, padding[::2], ceil_mode=ceil)
    _check_no_ceil(a, ceil)
    return functional.max_pool2d(_pad(x, padding, float("-inf")), kernel, strides)


def _avg_pool(a: Arguments) -> Tensor:
    x, kernel = a.tensor("x"), a.integers("kernel_sizes")
    _check_two_dimensional(a, kernel)
    strides, padding = a.integers("strides", (1, 1)), _padding(a, x, kernel)
    inside_only = a.flag("exclude_padding_from_average", False)
    ceil = a.flag("ceil_mode", False)
    if _is_torch_padding(padding, kernel):
        return functional.avg_pool2d(
            x, kernel, strides, padding[::2], ceil_mode=ceil, count_include_pad=not inside_only
        )
    _check_no_ceil(a, ceil)
    mean = functional.avg_pool2d(_pad(x, padding), kernel, strides)
    if not inside_only:
        return mean
    share = functional.avg_pool2d(_pad(torch.ones_like(x), padding), kernel, strides)
    return mean / share


def _is_torch_padding(padding: tuple[int, ...], kernel: tuple[int, ...]) -> bool:
    """Tells whether torch's pooling takes the padding: even, and at most half a window."""
    before, after = padding[::2], padding[1::2]
    return before == after and all(p <= k // 2 for p, k in zip(before, kernel, strict=True))


def _check_two_dimensional(a: Arguments, kernel: tuple[int, ...]) -> None:
    if len(kernel) != 2:
        raise UnsupportedError(f"{a.operation} of {len(kernel)} spatial dimensions")


def _check_no_ceil(a: Arguments, ceil: bool) -> None:
    if ceil:
        raise UnsupportedError(f"{a.operation} with ceil_mode and uneven padding")


def _batch_norm(a: Arguments) -> Tensor:
    return functional.batch_norm(
        a.tensor("x"),
        a.tensor("mean"),
        a.tensor("variance"),
        a.optional("gamma"),
        a.optional("beta"),
        eps=a.number("epsilon", 1e-5),
    )


def _layer_norm(a: Arguments) -> Tensor:
    x = a.tensor("x")
    axes = tuple(axis % x.ndim for axis in a.integers("axes", tuple(range(x.ndim))))
    shape = [x.shape[axis] if axis in axes else 1 for axis in range(x.ndim)]
    mean = x.mean(axes, keepdim=True)
    variance = (x - mean).square().mean(axes, keepdim=True)
    result = (x - mean) / torch.sqrt(variance + a.number("epsilon", 1e-5))
    gamma, beta = a.optional("gamma"), a.optional("beta")
    result = result if gamma is None else result * gamma.reshape(shape)
    return result if beta is None else result + beta.reshape(shape)


def _scale_and_zero_point(a: Arguments, rank: int) -> tuple[Tensor, Tensor | None]:
    axis = a.integer("axis", 0)
    scale, zero_point = along(a.tensor("scale"), rank, axis), a.optional("zero_point")
    if zero_point is None:
        return scale, None
    return scale, along(zero_point, rank, axis).to(torch.float32)


def _quantize(a: Arguments) -> Tensor:
    x, dtype = a.tensor("input"), a.text("output_dtype")
    if dtype not in _INTEGER_RANGES:
        raise UnsupportedError(f"quantize to {dtype}")
    scale, zero_point = _scale_and_zero_point(a, x.ndim)
    low, high = _INTEGER_RANGES[dtype]
    steps = (x / scale).round_()
    if zero_point is not None:
        steps = steps.add_(zero_point)
    return steps.clamp_(low, high)


def _dequantize(a: Arguments) -> Tensor:
    x = a.tensor("input").to(torch.float32)
    scale, zero_point = _scale_and_zero_point(a, x.ndim)
    return x * scale if zero_point is None else (x - zero_point).mul_(scale)


LAYERS: dict[str, Operator] = {
    "avg_pool": _avg_pool,
    "batch_norm": _batch_norm,
    "conv": _conv,
    "dequantize": _dequantize,
    "einsum": lambda a: torch.einsum(a.text("equation"), *a.tensors("values")),
    "layer_norm": _layer_norm,
    "linear": _linear,
    "matmul": _matmul,
    "max_pool": _max_pool,
    "quantize": _quantize,
}
