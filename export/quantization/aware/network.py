"""A trunk with fake quantization: it answers as its int8 files do, and gradients reach its ranges.

Everything is trained in units of int8 steps, so that one learning rate fits weights, biases and
ranges of layers of any size: a weight in steps of its channel, a bias in steps of its output, and
the edges of a range in steps of it.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from distill.models import PIXEL_OFFSET
from export.quantization.aware.sites import LearnedRanges, Site, find_sites
from export.quantization.aware.steps import (
    LAST,
    Range,
    eleven_digits,
    round_to_steps,
    straight_through,
)
from export.quantization.range_estimators import DEFAULT_ESTIMATOR, ESTIMATORS, usable_range
from export.quantization.weight_steps import STEPS, channel_scale

_RANGE_SCOPE = "range_of_"
_EDGE_SPEED = 10.0  # an edge lies 255 steps away, and is to get somewhere
_SMALLEST_SHARE = 1 / 16  # of the first scale, below which none falls


def range_of(low: float, high: float, largest: float | None = None) -> Range:
    """Returns the steps that cover values from `low` or 0 to `high` or 0.

    Args:
        low: smallest value.
        high: largest value.
        largest: what `high` cannot pass, since an activation function ends there.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = _scale(torch.tensor((high - low) / LAST).clamp_min(1e-12), largest)
    return Range(float(scale), int(torch.round(-low / scale).clamp(0, LAST)))


def measure(
    trunk: nn.Module, images: np.ndarray, estimator: str = DEFAULT_ESTIMATOR
) -> LearnedRanges:
    """Returns the ranges that learning starts from, on calibration images.

    Args:
        trunk: of a deployable module, in float.
        images: uint8 (M, S, S, 3).
        estimator: see `range_estimators.ESTIMATORS`.

    Raises:
        InputError: see `find_sites`.
    """
    traced = fx.symbolic_trace(copy.deepcopy(trunk))
    sites = find_sites(traced)
    seen = {site.last: ESTIMATORS[estimator]() for site in sites}

    class Looking(fx.Interpreter):
        """Runs the trunk and shows the sites' values to their estimators."""

        def run_node(self, n: fx.Node) -> object:
            value = super().run_node(n)
            if n.name in seen:
                seen[n.name].see(value.numpy())
            return value

    with torch.no_grad():
        for image in images:
            pixels = torch.from_numpy(image[None]).permute(0, 3, 1, 2).float() - PIXEL_OFFSET
            Looking(traced).run(pixels)
    found = {
        site.name: range_of(*usable_range(seen[site.last], site.name), site.largest)
        for site in sites
    }
    return LearnedRanges(sites, found)


def aware_trunk(trunk: nn.Module, start: LearnedRanges) -> fx.GraphModule:
    """Returns a copy that rounds weights and activations, with parameters in units of steps.

    Args:
        trunk: of a deployable module, in float, every convolution with a bias.
        start: its sites and their first ranges.
    """
    aware = fx.symbolic_trace(copy.deepcopy(trunk))
    nodes = {node.name: node for node in aware.graph.nodes}
    for node in nodes.values():
        if node.target is operator.iadd:  # it would write over a value that a gradient needs
            node.target = operator.add
    for number, site in enumerate(start.sites):
        first, last, span = nodes[site.first], nodes[site.last], start.ranges[site.name]
        name = f"{_RANGE_SCOPE}{number}"
        aware.add_submodule(name, TrainedRange(span, site))
        with aware.graph.inserting_after(last):
            rounding = aware.graph.call_module(name, (first,))
        last.replace_all_uses_with(rounding, lambda user, own=rounding: user is not own)
        if last is not first:  # a range from 0 to 6 is a ReLU6
            aware.graph.erase_node(last)
        if first.op == "call_module":
            parent, _, leaf = site.name.rpartition(".")
            layer = RoundedConvolution(aware.get_submodule(site.name), span)
            setattr(aware.get_submodule(parent), leaf, layer)
    aware.graph.lint()
    aware.delete_all_unused_submodules()
    aware.recompile()
    return aware.requires_grad_(True)


def trained_ranges(aware: fx.GraphModule, sites: tuple[Site, ...]) -> LearnedRanges:
    """Returns the ranges of an aware trunk as they are now."""
    found = {}
    for number, site in enumerate(sites):
        module = aware.get_submodule(f"{_RANGE_SCOPE}{number}")
        assert isinstance(module, TrainedRange)
        scale, zero_point = (each.detach() for each in module.steps())
        found[site.name] = Range(float(scale), int(zero_point))
    return LearnedRanges(sites, found)


def trained_parameters(aware: fx.GraphModule) -> dict[str, Tensor]:
    """Returns the rounded weights and the biases of an aware trunk by the trunk's own names."""
    found = {}
    for name, module in aware.named_modules():
        if isinstance(module, RoundedConvolution):
            found[f"{name}.weight"] = module.weight().detach().contiguous()
            found[f"{name}.bias"] = module.bias().detach()
    return found


def on_steps(weight: Tensor) -> bool:
    """Whether weights (O, I, h, w) are whole int8 steps of their channels, to the last digit."""
    scale = eleven_digits(channel_scale(weight))
    return torch.equal(torch.round(weight / scale) * scale, weight)


def with_parameters(trunk: nn.Module, parameters: Mapping[str, Tensor]) -> fx.GraphModule:
    """Returns a copy of a float trunk with other weights and biases in its convolutions."""
    copied = fx.symbolic_trace(copy.deepcopy(trunk))
    for name, module in copied.named_modules():
        if isinstance(module, nn.Conv2d):
            for kind in ("weight", "bias"):
                value = nn.Parameter(parameters[f"{name}.{kind}"].clone(), requires_grad=False)
                setattr(module, kind, value)
    return copied.eval()


class TrainedRange(nn.Module):
    """Rounds an activation to steps whose outer edges are learned; the steps include zero."""

    scale: Tensor
    zero_point: Tensor

    def __init__(self, start: Range, site: Site) -> None:
        super().__init__()
        self.largest = site.largest
        self.register_buffer("scale", torch.tensor(start.scale))
        self.register_buffer("zero_point", torch.tensor(float(start.zero_point)))
        self.high = nn.Parameter(torch.zeros(()))
        self.low = None if site.is_positive else nn.Parameter(torch.zeros(()))

    def steps(self) -> tuple[Tensor, Tensor]:
        """The scale and the zero point, a whole number, both ()."""
        high = self.scale * (LAST - self.zero_point + _EDGE_SPEED * self.high)
        if self.low is None:
            wanted = high / LAST
        else:
            low = self.scale * (_EDGE_SPEED * self.low - self.zero_point)
            wanted = (high - low) / LAST
        lifted = wanted.clamp_min(float(self.scale) * _SMALLEST_SHARE)
        scale = straight_through(_scale(lifted, self.largest), wanted)
        if self.low is None:
            return scale, self.zero_point
        exact = -low / scale
        return scale, straight_through(exact.round().clamp(0, LAST), exact)

    def forward(self, values: Tensor) -> Tensor:
        """Any shape."""
        return round_to_steps(values, *self.steps())


class RoundedConvolution(nn.Module):
    """A convolution whose weights are int8 with the scale max|w| / 127 per output channel."""

    unit: Tensor
    start: Tensor
    output_step: Tensor

    def __init__(self, convolution: nn.Module, output: Range) -> None:
        super().__init__()
        assert isinstance(convolution, nn.Conv2d)
        assert convolution.bias is not None
        self.stride, self.padding = convolution.stride, convolution.padding
        self.dilation, self.groups = convolution.dilation, convolution.groups
        weight = convolution.weight.detach()
        unit = eleven_digits(channel_scale(weight))
        self.steps = nn.Parameter(weight / unit)
        self.shift = nn.Parameter(torch.zeros_like(convolution.bias))
        self.register_buffer("unit", unit)
        self.register_buffer("start", convolution.bias.detach().clone())
        self.register_buffer("output_step", torch.tensor(output.scale))

    def weight(self) -> Tensor:
        """The rounded weights, (O, I, h, w)."""
        exact = self.steps * self.unit
        scale = eleven_digits(channel_scale(exact.detach()))
        steps = torch.round(exact.detach() / scale).clamp(-STEPS, STEPS)
        return straight_through(steps * scale, exact)

    def bias(self) -> Tensor:
        """(O,)."""
        return self.start + self.shift * self.output_step

    def forward(self, values: Tensor) -> Tensor:
        """(N, I, H, W)."""
        return F.conv2d(
            values,
            self.weight(),
            self.bias(),
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )


def _scale(wanted: Tensor, largest: float | None) -> Tensor:
    scale = eleven_digits(wanted)
    if largest is None:
        return scale
    # 6 / 255 is rounded down, so that the last step lets through no more than the ReLU6 does.
    return torch.minimum(scale, eleven_digits(torch.tensor(largest / LAST)))
