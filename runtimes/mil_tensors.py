"""MIL operations that move elements: shapes, slices, joins."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from runtimes.mil_arguments import Arguments, Operator, UnsupportedError


def _reshape(a: Arguments) -> Tensor:
    x, shape = a.tensor("x"), a.integers("shape")
    # a zero stands for the size that the dimension has
    return x.reshape([x.shape[i] if side == 0 else side for i, side in enumerate(shape)])


def _expand_dims(a: Arguments) -> Tensor:
    x, axes = a.tensor("x"), a.integers("axes")
    rank = x.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _squeeze(a: Arguments) -> Tensor:
    x = a.tensor("x")
    return x.squeeze(a.integers("axes")) if a.has("axes") else x.squeeze()


def _concat(a: Arguments) -> Tensor:
    values, axis = a.tensors("values"), a.integer("axis")
    if not a.flag("interleave", False):
        return torch.cat(values, axis)
    axis %= values[0].ndim
    return torch.stack(values, axis + 1).flatten(axis, axis + 1)


def _split(a: Arguments) -> list[Tensor]:
    x, axis = a.tensor("x"), a.integer("axis")
    if a.has("split_sizes"):
        return list(torch.split(x, list(a.integers("split_sizes")), axis))
    return list(torch.split(x, x.shape[axis] // a.integer("num_splits"), axis))


def _slice_by_index(a: Arguments) -> Tensor:
    x, begin, end = a.tensor("x"), a.integers("begin"), a.integers("end")
    strides = a.integers("stride", (1,) * x.ndim)
    no = (0,) * x.ndim
    from_start, to_end = a.integers("begin_mask", no), a.integers("end_mask", no)
    single = a.integers("squeeze_mask", no)
    if any(stride < 1 for stride in strides):
        raise UnsupportedError("slice_by_index with a negative stride")
    index: list[int | slice] = []
    for i in range(x.ndim):
        if single[i]:
            index.append(begin[i])
        else:
            start = None if from_start[i] else begin[i]
            stop = None if to_end[i] else end[i]
            index.append(slice(start, stop, strides[i]))
    return x[tuple(index)]


def _slice_by_size(a: Arguments) -> Tensor:
    x, begin, size = a.tensor("x"), a.integers("begin"), a.integers("size")
    return x[
        tuple(
            slice(start, None if length == -1 else start + length)
            for start, length in zip(begin, size, strict=True)
        )
    ]


def _gather(a: Arguments) -> Tensor:
    x, indices, axis = a.tensor("x"), a.tensor("indices").long(), a.integer("axis", 0)
    if a.integer("batch_dims", 0) != 0:
        raise UnsupportedError("gather with batch_dims")
    axis %= x.ndim
    indices = torch.where(indices < 0, indices + x.shape[axis], indices)
    taken = x.index_select(axis, indices.reshape(-1))
    return taken.reshape([*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]])


def _gather_along_axis(a: Arguments) -> Tensor:
    x, indices, axis = a.tensor("x"), a.tensor("indices").long(), a.integer("axis", 0)
    return torch.gather(x, axis, torch.where(indices < 0, indices + x.shape[axis], indices))


def _pad(a: Arguments) -> Tensor:
    x, padding, mode = a.tensor("x"), a.integers("pad"), a.text("mode", "constant")
    pairs = [padding[i : i + 2] for i in range(0, len(padding), 2)]
    backwards = [side for pair in reversed(pairs) for side in pair]
    if mode == "constant":
        return functional.pad(x, backwards, value=a.number("constant_val", 0.0))
    if mode not in ("reflect", "replicate"):
        raise UnsupportedError(f"pad of mode {mode}")
    while len(backwards) > 4 and not any(backwards[-2:]):
        backwards = backwards[:-2]
    return functional.pad(x, backwards, mode=mode)


def _pixel_shuffle(a: Arguments) -> Tensor:
    return functional.pixel_shuffle(a.tensor("x"), a.integer("upscale_factor"))


TENSORS: dict[str, Operator] = {
    "concat": _concat,
    "expand_dims": _expand_dims,
    "gather": _gather,
    "gather_along_axis": _gather_along_axis,
    "pad": _pad,
    "pixel_shuffle": _pixel_shuffle,
    "reshape": _reshape,
    "reverse": lambda a: a.tensor("x").flip(a.integers("axes", tuple(range(a.tensor("x").ndim)))),
    "slice_by_index": _slice_by_index,
    "slice_by_size": _slice_by_size,
    "split": _split,
    "squeeze": _squeeze,
    "stack": lambda a: torch.stack(a.tensors("values"), a.integer("axis")),
    "tile": lambda a: a.tensor("x").repeat(a.integers("reps")),
    "transpose": lambda a: a.tensor("x").permute(a.integers("perm")),
}
