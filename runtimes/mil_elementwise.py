"""MIL operations that work element by element, and the reductions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from runtimes.mil_arguments import Arguments, Operator, UnsupportedError, along, as_type


def _unary(function: Callable[[Tensor], Tensor]) -> Operator:
    return lambda a: function(a.tensor("x"))


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    return lambda a: function(a.tensor("x"), a.tensor("y"))


def _reduction(function: Callable[[Tensor, tuple[int, ...], bool], Tensor]) -> Operator:
    def run(a: Arguments) -> Tensor:
        x = a.tensor("x")
        axes = a.integers("axes", tuple(range(x.ndim)))
        return function(x, axes, a.flag("keep_dims", False))

    return run


def _arg_reduction(function: Callable[..., Tensor]) -> Operator:
    return lambda a: function(
        a.tensor("x"), dim=a.integer("axis", -1), keepdim=a.flag("keep_dims", False)
    )


def _product(x: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = x.prod(dim=axis, keepdim=keep)
    return x


def _gelu(a: Arguments) -> Tensor:
    x, mode = a.tensor("x"), a.text("mode", "EXACT")
    if mode == "EXACT":
        return functional.gelu(x)
    if mode == "TANH_APPROXIMATION":
        return functional.gelu(x, approximate="tanh")
    if mode == "SIGMOID_APPROXIMATION":
        return x * torch.sigmoid(1.702 * x)
    raise UnsupportedError(f"gelu of mode {mode}")


def _prelu(a: Arguments) -> Tensor:
    x = a.tensor("x")
    return torch.where(x >= 0, x, x * along(a.tensor("alpha"), x.ndim, 1))


def _cast(a: Arguments) -> Tensor:
    x, dtype = a.tensor("x"), a.text("dtype")
    return as_type(x.trunc() if "int" in dtype and x.is_floating_point() else x, dtype)


ELEMENTWISE: dict[str, Operator] = {
    "abs": _unary(torch.abs),
    "atan": _unary(torch.atan),
    "cast": _cast,
    "ceil": _unary(torch.ceil),
    "clamped_relu": lambda a: functional.leaky_relu(a.tensor("x"), a.number("alpha")).clamp(
        max=a.number("beta")
    ),
    "clip": lambda a: a.tensor("x").clamp(a.number("alpha"), a.number("beta")),
    "cos": _unary(torch.cos),
    "elu": lambda a: functional.elu(a.tensor("x"), a.number("alpha")),
    "erf": _unary(torch.erf),
    "exp": _unary(torch.exp),
    "exp2": _unary(torch.exp2),
    "floor": _unary(torch.floor),
    "gelu": _gelu,
    "identity": _unary(lambda x: x),
    "inverse": lambda a: 1 / (a.tensor("x") + a.number("epsilon", 1e-4)),
    "leaky_relu": lambda a: functional.leaky_relu(a.tensor("x"), a.number("alpha")),
    "linear_activation": lambda a: a.tensor("x") * a.number("alpha") + a.number("beta"),
    "log": lambda a: torch.log(a.tensor("x") + a.number("epsilon", 1e-45)),
    "logical_not": _unary(torch.logical_not),
    "prelu": _prelu,
    "relu": _unary(torch.relu),
    "relu6": _unary(functional.relu6),
    "round": _unary(torch.round),
    "rsqrt": lambda a: torch.rsqrt(a.tensor("x") + a.number("epsilon", 1e-12)),
    "scaled_tanh": lambda a: a.number("alpha") * torch.tanh(a.tensor("x") * a.number("beta")),
    "sigmoid": _unary(torch.sigmoid),
    "sigmoid_hard": lambda a: (
        a.tensor("x") * a.number("alpha", 0.2) + a.number("beta", 0.5)
    ).clamp(0, 1),
    "sign": _unary(torch.sign),
    "silu": _unary(functional.silu),
    "sin": _unary(torch.sin),
    "softmax": lambda a: torch.softmax(a.tensor("x"), a.integer("axis", -1)),
    "softplus": _unary(functional.softplus),
    "softsign": _unary(functional.softsign),
    "sqrt": _unary(torch.sqrt),
    "square": _unary(torch.square),
    "tanh": _unary(torch.tanh),
    "threshold": lambda a: a.tensor("x").clamp(min=a.number("alpha")),
    "thresholded_relu": lambda a: functional.threshold(a.tensor("x"), a.number("alpha"), 0.0),
    # two operands
    "add": _binary(torch.add),
    "equal": _binary(torch.eq),
    "floor_div": _binary(torch.floor_divide),
    "greater": _binary(torch.gt),
    "greater_equal": _binary(torch.ge),
    "less": _binary(torch.lt),
    "less_equal": _binary(torch.le),
    "logical_and": _binary(torch.logical_and),
    "logical_or": _binary(torch.logical_or),
    "logical_xor": _binary(torch.logical_xor),
    "maximum": _binary(torch.maximum),
    "minimum": _binary(torch.minimum),
    "mod": _binary(torch.remainder),
    "mul": _binary(torch.mul),
    "not_equal": _binary(torch.ne),
    "pow": _binary(torch.pow),
    "real_div": _binary(torch.div),
    "select": lambda a: torch.where(a.tensor("cond").bool(), a.tensor("a"), a.tensor("b")),
    "sub": _binary(torch.sub),
    # reductions
    "reduce_argmax": _arg_reduction(torch.argmax),
    "reduce_argmin": _arg_reduction(torch.argmin),
    "reduce_l1_norm": _reduction(lambda x, axes, keep: x.abs().sum(axes, keepdim=keep)),
    "reduce_l2_norm": _reduction(lambda x, axes, keep: x.square().sum(axes, keepdim=keep).sqrt()),
    "reduce_log_sum_exp": _reduction(lambda x, axes, keep: x.logsumexp(axes, keepdim=keep)),
    "reduce_max": _reduction(lambda x, axes, keep: x.amax(axes, keepdim=keep)),
    "reduce_mean": _reduction(lambda x, axes, keep: x.mean(axes, keepdim=keep)),
    "reduce_min": _reduction(lambda x, axes, keep: x.amin(axes, keepdim=keep)),
    "reduce_prod": _reduction(_product),
    "reduce_sum": _reduction(lambda x, axes, keep: x.sum(axes, keepdim=keep)),
    "reduce_sum_square": _reduction(lambda x, axes, keep: x.square().sum(axes, keepdim=keep)),
}
