"""What each precision leaves of a network's numbers, by name."""

from __future__ import annotations

from export.quantization.bias_correction import (
    Rounding,
    exact,
    half,
    half_activation,
    integer,
    integer_activation,
)

ROUNDINGS: dict[str, Rounding] = {
    "fp16": Rounding(half, half, half_activation),
    "int8": Rounding(integer(), exact, integer_activation),
}
