"""The arguments of one MIL operation, asked for by name and kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

# Every value is a tensor, a string, or a list of tensors. Floats are kept as float32 whatever their
# MIL type; what MIL holds in fp16 has been rounded to fp16 already.
Value = Any


class UnsupportedError(Exception):
    """An operation, or a way of using one, that is not carried out here; says which."""


class Arguments:
    """Named values of one operation; an absent one takes the default, or is an error."""

    def __init__(self, operation: str, values: Mapping[str, Value]) -> None:
        self.operation = operation
        self._values = values

    def has(self, name: str) -> bool:
        """Tells whether the operation has the argument."""
        return name in self._values

    def tensor(self, name: str) -> Tensor:
        """Returns a tensor."""
        return self._values[name]

    def optional(self, name: str) -> Tensor | None:
        """Returns a tensor, or None where it is absent."""
        return self._values.get(name)

    def tensors(self, name: str) -> list[Tensor]:
        """Returns a list of tensors."""
        value = self._values[name]
        return list(value) if isinstance(value, list | tuple) else [value]

    def number(self, name: str, default: float | None = None) -> float:
        """Returns a number."""
        return float(self._scalar(name, default))

    def integer(self, name: str, default: int | None = None) -> int:
        """Returns a whole number."""
        return int(self._scalar(name, default))

    def flag(self, name: str, default: bool) -> bool:
        """Returns true or false."""
        return bool(self._scalar(name, default))

    def text(self, name: str, default: str | None = None) -> str:
        """Returns a string."""
        value = self._values.get(name, default)
        if not isinstance(value, str):
            raise KeyError(name)
        return value

    def integers(self, name: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """Returns a vector of whole numbers (or of flags, as 0 and 1)."""
        value = self._values.get(name)
        if value is None:
            if default is None:
                raise KeyError(name)
            return default
        return tuple(int(item) for item in value.reshape(-1).tolist())

    def _scalar(self, name: str, default: float | None) -> float:
        value = self._values.get(name, default)
        if value is None:
            raise KeyError(name)
        return value.item() if isinstance(value, Tensor) else value


Operator = Callable[[Arguments], Any]


def along(vector: Tensor, rank: int, axis: int) -> Tensor:
    """Returns a vector shaped to broadcast along `axis` of a tensor of `rank` dimensions."""
    if vector.ndim == 0 or vector.numel() == 1:
        return vector.reshape(())
    shape = [1] * rank
    shape[axis] = vector.numel()
    return vector.reshape(shape)


TORCH_TYPES: dict[str, torch.dtype] = {
    "fp16": torch.float32,
    "fp32": torch.float32,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "int16": torch.int16,
    "uint16": torch.int32,
    "int32": torch.int32,
    "uint32": torch.int64,
    "int64": torch.int64,
    "uint64": torch.int64,
    "bool": torch.bool,
}


def as_type(value: Tensor, mil_type: str) -> Tensor:
    """Returns the tensor with the precision of a MIL type; fp16 is rounded and kept in float32."""
    if mil_type == "fp16":
        return value.to(torch.float16).to(torch.float32)
    if mil_type in TORCH_TYPES:
        return value.to(TORCH_TYPES[mil_type])
    if mil_type.startswith(("int", "uint")):  # of fewer than eight bits
        return value.to(torch.int32)
    raise UnsupportedError(f"the type {mil_type}")
