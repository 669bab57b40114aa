"""What each MIL operation means: a way to build it, and its definition in numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

RNG = np.random.default_rng(0)
X = RNG.uniform(-2, 2, (1, 3, 6, 6)).astype(np.float32)
Y = RNG.uniform(0.5, 2, (1, 3, 6, 6)).astype(np.float32)
V = RNG.uniform(0.5, 2, 3).astype(np.float32)
W = RNG.uniform(-1, 1, (4, 3, 3, 3)).astype(np.float32)
ROWS = RNG.uniform(-1, 1, (5, 6)).astype(np.float32)
MATRIX = RNG.uniform(-1, 1, (1, 6, 6, 4)).astype(np.float32)
ALONG = RNG.integers(0, 6, (1, 3, 6, 2)).astype(np.int32)
INDICES = np.array([2, 0, -1], np.int32)


def along_channels(vector: np.ndarray) -> np.ndarray:
    return vector[None, :, None, None]


def convolve(
    x: np.ndarray, weight: np.ndarray, stride: int, pads: tuple[int, int, int, int]
) -> np.ndarray:
    """The definition, position by position; pads are top, bottom, left, right."""
    top, bottom, left, right = pads
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    kernel = weight.shape[2]
    rows, columns = ((side - kernel) // stride + 1 for side in x.shape[2:])
    out = np.zeros((1, weight.shape[0], rows, columns))
    for i in range(rows):
        for j in range(columns):
            part = x[0, :, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
            out[0, :, i, j] = (weight * part).sum((1, 2, 3))
    return out


def pool(
    x: np.ndarray, function: Callable[..., np.ndarray], pads: tuple[int, int], fill: float
) -> np.ndarray:
    """Windows of 3 at stride 2 after padding `pads` before and after."""
    x = np.pad(x, ((0, 0), (0, 0), pads, pads), constant_values=fill)
    side = (x.shape[2] - 3) // 2 + 1
    windows = [
        [function(x[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3], axis=(2, 3)) for j in range(side)]
        for i in range(side)
    ]
    return np.moveaxis(np.array(windows), (0, 1), (2, 3))


def normalised(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5)


def quantized(x: np.ndarray, scale: np.ndarray | np.float32, zero_point: int) -> np.ndarray:
    return (np.clip(np.round(x / scale) + zero_point, -128, 127) - zero_point) * scale


def halved(x: np.ndarray) -> np.ndarray:
    """Means of 3 windows at stride 2, padded by one, counting what lies inside only."""
    ones = pool(np.ones_like(x), np.mean, (1, 1), 0)
    return pool(x, np.mean, (1, 1), 0) / ones


def flag(mb: Any, condition: Any) -> Any:
    return mb.cast(x=condition, dtype="fp32")


# Operations whose meaning coremltools itself can compute (its value inference) need no second
# definition here: None. The others are defined above.
Case = tuple[Callable[[Any, Any], Any], np.ndarray | None]
ZEROS = [0, 0, 0, 0]
POOL: dict[str, Any] = {"kernel_sizes": [3, 3], "strides": [2, 2]}
CASES: dict[str, Case] = {
    "abs": (lambda mb, x: mb.abs(x=x), None),
    "add": (lambda mb, x: mb.add(x=x, y=Y), None),
    "atan": (lambda mb, x: mb.atan(x=x), None),
    "avg_pool": (
        lambda mb, x: mb.avg_pool(
            x=x, **POOL, pad_type="custom", pad=[1] * 4, exclude_padding_from_average=True
        ),
        halved(X),
    ),
    "avg_pool whole": (
        lambda mb, x: mb.avg_pool(x=x, **POOL, pad_type="custom", pad=[1] * 4),
        pool(X, np.mean, (1, 1), 0),
    ),
    "avg_pool uneven": (
        lambda mb, x: mb.avg_pool(x=x, **POOL, pad_type="same", exclude_padding_from_average=True),
        pool(X, np.mean, (0, 1), 0) / pool(np.ones_like(X), np.mean, (0, 1), 0),
    ),
    "batch_norm": (
        lambda mb, x: mb.batch_norm(x=x, mean=V, variance=V, gamma=V + 1, beta=V - 1, epsilon=1e-3),
        (X - along_channels(V)) / np.sqrt(along_channels(V) + 1e-3) * along_channels(V + 1)
        + along_channels(V - 1),
    ),
    "ceil": (lambda mb, x: mb.ceil(x=x), None),
    "clamped_relu": (
        lambda mb, x: mb.clamped_relu(x=x, alpha=0.1, beta=1.0),
        np.minimum(1, np.where(X > 0, X, 0.1 * X)),
    ),
    "clip": (lambda mb, x: mb.clip(x=x, alpha=-0.5, beta=1.0), None),
    "concat": (lambda mb, x: mb.concat(values=[x, Y], axis=1), None),
    "concat interleaved": (
        lambda mb, x: mb.concat(values=[x, Y], axis=1, interleave=True),
        np.stack([X, Y], 2).reshape(1, 6, 6, 6),
    ),
    "conv": (
        lambda mb, x: mb.conv(x=x, weight=W, strides=[2, 2], pad_type="custom", pad=[1] * 4),
        convolve(X, W, 2, (1, 1, 1, 1)),
    ),
    "conv uneven": (
        lambda mb, x: mb.conv(
            x=x, weight=W, strides=[2, 2], pad_type="custom", pad=[0, 1, 2, 1], bias=np.ones(4, "f")
        ),
        convolve(X, W, 2, (0, 1, 2, 1)) + 1,
    ),
    "conv same": (
        lambda mb, x: mb.conv(x=x, weight=W, strides=[2, 2], pad_type="same"),
        convolve(X, W, 2, (0, 1, 0, 1)),
    ),
    "conv same_lower": (
        lambda mb, x: mb.conv(x=x, weight=W, strides=[2, 2], pad_type="same_lower"),
        convolve(X, W, 2, (1, 0, 1, 0)),
    ),
    "conv depthwise": (
        lambda mb, x: mb.conv(x=x, weight=W[:3, :1], groups=3, pad_type="valid"),
        np.concatenate(
            [convolve(X[:, c : c + 1], W[c : c + 1, :1], 1, (0, 0, 0, 0)) for c in range(3)], 1
        ),
    ),
    "cos": (lambda mb, x: mb.cos(x=x), None),
    "einsum": (
        lambda mb, x: mb.einsum(values=[x, MATRIX], equation="nchw,nwhu->nchu"),
        np.einsum("nchw,nwhu->nchu", X, MATRIX),
    ),
    "elu": (lambda mb, x: mb.elu(x=x, alpha=0.7), np.where(X > 0, X, 0.7 * (np.exp(X) - 1))),
    "equal": (lambda mb, x: flag(mb, mb.equal(x=mb.round(x=x), y=1.0)), None),
    "erf": (lambda mb, x: mb.erf(x=x), None),
    "exp": (lambda mb, x: mb.exp(x=x), None),
    "exp2": (lambda mb, x: mb.exp2(x=x), None),
    "expand_dims": (lambda mb, x: mb.expand_dims(x=mb.squeeze(x=x, axes=[0]), axes=[0, -1]), None),
    "floor": (lambda mb, x: mb.floor(x=x), None),
    "floor_div": (lambda mb, x: mb.floor_div(x=x, y=Y), None),
    "gather": (
        lambda mb, x: mb.gather(x=x, indices=INDICES, axis=2, validate_indices=False),
        X[:, :, INDICES],
    ),
    "gather_along_axis": (
        lambda mb, x: mb.gather_along_axis(x=x, indices=ALONG, axis=3, validate_indices=False),
        np.take_along_axis(X, ALONG, 3),
    ),
    "gelu": (lambda mb, x: mb.gelu(x=x, mode="EXACT"), None),
    "gelu tanh": (lambda mb, x: mb.gelu(x=x, mode="TANH_APPROXIMATION"), None),
    "greater": (lambda mb, x: mb.select(cond=mb.greater(x=x, y=Y), a=x, b=Y), None),
    "greater_equal": (lambda mb, x: flag(mb, mb.greater_equal(x=x, y=Y)), None),
    "identity": (lambda mb, x: mb.identity(x=x), None),
    "inverse": (lambda mb, x: mb.inverse(x=mb.add(x=x, y=5.0)), None),
    "layer_norm": (
        lambda mb, x: mb.layer_norm(x=x, axes=[1], gamma=V, beta=V, epsilon=1e-5),
        normalised(X, (1,)) * along_channels(V) + along_channels(V),
    ),
    "leaky_relu": (lambda mb, x: mb.leaky_relu(x=x, alpha=0.1), None),
    "less": (lambda mb, x: flag(mb, mb.less(x=x, y=Y)), None),
    "less_equal": (lambda mb, x: flag(mb, mb.less_equal(x=x, y=Y)), None),
    "linear": (lambda mb, x: mb.linear(x=x, weight=ROWS, bias=np.ones(5, "f")), None),
    "linear_activation": (lambda mb, x: mb.linear_activation(x=x, alpha=0.3, beta=2.0), None),
    "log": (lambda mb, x: mb.log(x=mb.add(x=x, y=3.0), epsilon=0.1), None),
    "logical_and": (
        lambda mb, x: flag(mb, mb.logical_and(x=mb.less(x=x, y=Y), y=mb.greater(x=x, y=0.0))),
        ((X < Y) & (X > 0)).astype(np.float32),
    ),
    "logical_not": (lambda mb, x: flag(mb, mb.logical_not(x=mb.less(x=x, y=Y))), None),
    "logical_or": (
        lambda mb, x: flag(mb, mb.logical_or(x=mb.less(x=x, y=-1.0), y=mb.greater(x=x, y=1.0))),
        ((X < -1) | (X > 1)).astype(np.float32),
    ),
    "logical_xor": (
        lambda mb, x: flag(mb, mb.logical_xor(x=mb.less(x=x, y=1.0), y=mb.greater(x=x, y=0.0))),
        ((X < 1) ^ (X > 0)).astype(np.float32),
    ),
    "matmul": (lambda mb, x: mb.matmul(x=x, y=Y, transpose_y=True), None),
    "max_pool": (
        lambda mb, x: mb.max_pool(x=x, **POOL, pad_type="custom", pad=[1] * 4),
        pool(X, np.max, (1, 1), -np.inf),
    ),
    "max_pool ceil": (
        lambda mb, x: mb.max_pool(x=x, **POOL, pad_type="custom", pad=ZEROS, ceil_mode=True),
        pool(X, np.max, (0, 1), -np.inf),
    ),
    "max_pool same": (
        lambda mb, x: mb.max_pool(x=x, **POOL, pad_type="same"),
        pool(X, np.max, (0, 1), -np.inf),
    ),
    "maximum": (lambda mb, x: mb.maximum(x=x, y=Y), None),
    "minimum": (lambda mb, x: mb.minimum(x=x, y=Y), None),
    "mod": (lambda mb, x: mb.mod(x=x, y=Y), None),
    "mul": (lambda mb, x: mb.mul(x=x, y=Y), None),
    "not_equal": (lambda mb, x: flag(mb, mb.not_equal(x=mb.round(x=x), y=1.0)), None),
    "pad": (lambda mb, x: mb.pad(x=x, pad=[1, 0, 0, 2], constant_val=3.0), None),
    "pad reflect": (lambda mb, x: mb.pad(x=x, pad=[1, 0, 0, 2], mode="reflect"), None),
    "pixel_shuffle": (
        lambda mb, x: mb.pixel_shuffle(x=mb.concat(values=[x, x, x, x], axis=1), upscale_factor=2),
        np.concatenate([X] * 4, 1)
        .reshape(1, 3, 2, 2, 6, 6)
        .transpose(0, 1, 4, 2, 5, 3)
        .reshape(1, 3, 12, 12),
    ),
    "pow": (lambda mb, x: mb.pow(x=Y, y=x), None),
    "prelu": (
        lambda mb, x: mb.prelu(x=x, alpha=V),
        np.where(X > 0, X, X * along_channels(V)),
    ),
    "quantize": (
        lambda mb, x: mb.dequantize(
            input=mb.quantize(
                input=x, scale=np.float32(0.01), zero_point=np.int8(20), output_dtype="int8"
            ),
            scale=np.float32(0.01),
            zero_point=np.int8(20),
        ),
        quantized(X, np.float32(0.01), 20),
    ),
    "quantize by channel": (
        lambda mb, x: mb.dequantize(
            input=mb.quantize(input=x, scale=V / 50, output_dtype="int8", axis=1),
            scale=V / 50,
            axis=1,
        ),
        quantized(X, along_channels(V / 50), 0),
    ),
    "real_div": (lambda mb, x: mb.real_div(x=x, y=Y), None),
    "reduce_argmax": (
        lambda mb, x: mb.cast(x=mb.reduce_argmax(x=x, axis=1, keep_dims=True), dtype="fp32"),
        None,
    ),
    "reduce_argmin": (lambda mb, x: mb.cast(x=mb.reduce_argmin(x=x, axis=3), dtype="fp32"), None),
    "reduce_l1_norm": (lambda mb, x: mb.reduce_l1_norm(x=x, axes=[1]), None),
    "reduce_l2_norm": (lambda mb, x: mb.reduce_l2_norm(x=x, axes=[1, 2]), None),
    "reduce_log_sum_exp": (lambda mb, x: mb.reduce_log_sum_exp(x=x, axes=[1]), None),
    "reduce_max": (lambda mb, x: mb.reduce_max(x=x, axes=[2, 3], keep_dims=True), None),
    "reduce_mean": (lambda mb, x: mb.reduce_mean(x=x, axes=[-2, -1]), None),
    "reduce_min": (lambda mb, x: mb.reduce_min(x=x, axes=[1]), None),
    "reduce_prod": (lambda mb, x: mb.reduce_prod(x=x, axes=[1, 2]), None),
    "reduce_sum": (lambda mb, x: mb.reduce_sum(x=x, axes=[0, 3]), None),
    "reduce_sum_square": (lambda mb, x: mb.reduce_sum_square(x=x, axes=[1]), None),
    "relu": (lambda mb, x: mb.relu(x=x), None),
    "relu6": (lambda mb, x: mb.relu6(x=mb.mul(x=x, y=5.0)), None),
    "reshape": (lambda mb, x: mb.reshape(x=x, shape=[0, -1, 4, 9]), None),
    "reverse": (lambda mb, x: mb.reverse(x=x, axes=[1, 3]), X[:, ::-1, :, ::-1]),
    "round": (lambda mb, x: mb.round(x=x), None),
    "rsqrt": (lambda mb, x: mb.rsqrt(x=mb.square(x=x), epsilon=0.5), None),
    "scaled_tanh": (lambda mb, x: mb.scaled_tanh(x=x, alpha=1.5, beta=0.7), None),
    "select": (lambda mb, x: mb.select(cond=mb.less(x=x, y=0.0), a=x, b=Y), None),
    "sigmoid": (lambda mb, x: mb.sigmoid(x=x), None),
    "sigmoid_hard": (lambda mb, x: mb.sigmoid_hard(x=x, alpha=0.3, beta=0.4), None),
    "sign": (lambda mb, x: mb.sign(x=x), None),
    "silu": (lambda mb, x: mb.silu(x=x), X / (1 + np.exp(-X))),
    "sin": (lambda mb, x: mb.sin(x=x), None),
    "slice_by_index": (
        lambda mb, x: mb.slice_by_index(
            x=x,
            begin=[0, 1, 2, 0],
            end=[1, 2, -1, 6],
            stride=[1, 1, 2, 1],
            begin_mask=[True, False, False, False],
            end_mask=[False, False, False, True],
            squeeze_mask=[False, True, False, False],
        ),
        None,
    ),
    "slice_by_size": (
        lambda mb, x: mb.slice_by_size(x=x, begin=[0, 1, 2, 0], size=[1, 2, -1, 3]),
        None,
    ),
    "softmax": (lambda mb, x: mb.softmax(x=x, axis=1), None),
    "softplus": (lambda mb, x: mb.softplus(x=x), None),
    "softsign": (lambda mb, x: mb.softsign(x=x), None),
    "split": (
        lambda mb, x: mb.concat(
            values=list(reversed(mb.split(x=x, split_sizes=[2, 4], axis=3))), axis=3
        ),
        None,
    ),
    "split evenly": (
        lambda mb, x: mb.concat(values=list(reversed(mb.split(x=x, num_splits=3, axis=1))), axis=1),
        None,
    ),
    "sqrt": (lambda mb, x: mb.sqrt(x=mb.abs(x=x)), None),
    "square": (lambda mb, x: mb.square(x=x), None),
    "squeeze": (lambda mb, x: mb.squeeze(x=mb.reshape(x=x, shape=[1, 1, 108])), None),
    "stack": (lambda mb, x: mb.stack(values=[x, Y], axis=2), None),
    "sub": (lambda mb, x: mb.sub(x=x, y=Y), None),
    "tanh": (lambda mb, x: mb.tanh(x=x), None),
    "threshold": (lambda mb, x: mb.threshold(x=x, alpha=0.3), None),
    "thresholded_relu": (lambda mb, x: mb.thresholded_relu(x=x, alpha=0.5), None),
    "tile": (lambda mb, x: mb.tile(x=x, reps=[1, 2, 1, 3]), None),
    "transpose": (lambda mb, x: mb.transpose(x=x, perm=[0, 2, 3, 1]), None),
}
