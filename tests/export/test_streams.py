"""Linear streams are levelled: channels fill their tensor's range and no answer changes."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, fx, nn

from distill.models import Classifier, build_classifier
from export.deployable import Deployable
from export.quantization.equalization import equalize, find_pairs
from export.quantization.precisions import ROUNDINGS
from export.quantization.sensitivity import measure_sensitivity
from export.quantization.streams import find_streams, level_streams


class Residual(nn.Module):
    """A first projection, a block that adds to it, and a convolution that reads the sum."""

    def __init__(self, reader: nn.Conv2d) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, 2, 1)
        self.expand = nn.Sequential(nn.Conv2d(8, 16, 1, bias=False), nn.ReLU6())
        self.project = nn.Conv2d(16, 8, 1)
        self.reader = nn.Sequential(reader, nn.ReLU6())

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) to the reader's map."""
        first = self.first(pixels)
        return self.reader(first + self.project(self.expand(first)))


def uneven(reader: nn.Conv2d) -> Deployable:
    """Channels of very different range and mean, in the first projection and in the block's."""
    torch.manual_seed(0)
    trunk = Residual(reader)
    with torch.no_grad():
        for name, layer in (("first", trunk.first), ("project", trunk.project)):
            factors = torch.logspace(-1, 0.5, 8)
            layer.weight.mul_(factors[:, None, None, None])
            layer.bias.copy_(torch.linspace(-3, 3, 8) if name == "first" else torch.zeros(8))
        trunk.reader[0].weight.div_(
            factors.view(reader.groups, -1)
            .repeat_interleave(reader.out_channels // reader.groups, 0)[:, :, None, None]
        )  # fmt: skip
    return deployable(trunk, reader.out_channels)


def deployable(trunk: nn.Module, width: int) -> Deployable:
    """The trunk with a head on its `width` channels."""
    return Deployable(Classifier("wired", trunk, width, 4, 0.0).eval().requires_grad_(False), 1.0)


def check_same_answers(before: Deployable, after: Deployable, images: np.ndarray) -> None:
    """Both see the same in images that nothing was measured on."""
    wanted, found = (each.trunk(each.trunk_input(images)) for each in (before, after))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))


READERS = {
    "1x1": lambda: nn.Conv2d(8, 12, 1),
    "without padding": lambda: nn.Conv2d(8, 12, 3, bias=False),
    "padded": lambda: nn.Conv2d(8, 12, 3, padding=1),
    "same": lambda: nn.Conv2d(8, 12, 3, padding="same"),
    "grouped": lambda: nn.Conv2d(8, 12, 1, groups=4),
    "depthwise": lambda: nn.Conv2d(8, 8, 3, padding=1, groups=8),
}


def values(deployable: Deployable, images: np.ndarray) -> dict[str, Tensor]:
    """What stands on every node of the trunk."""
    found: dict[str, Tensor] = {}

    class Looking(fx.Interpreter):
        def run_node(self, n: fx.Node) -> object:
            value = super().run_node(n)
            if isinstance(value, Tensor):
                found[n.name] = value.clone()
            return value

    Looking(fx.symbolic_trace(deployable.trunk)).run(deployable.trunk_input(images))
    return found


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("first", [False, True], ids=["last", "first"])
def test_the_answers_stay(kind: str, first: bool, images: np.ndarray) -> None:
    before = uneven(READERS[kind]())
    if first:  # channels first, as Core ML takes pictures
        before = before.channels_first()
    after = level_streams(before, images[:32])
    changed = after.trunk.get_submodule("first").weight - before.trunk.get_submodule("first").weight
    assert changed.abs().max() > 0.1 * before.trunk.get_submodule("first").weight.abs().max()
    check_same_answers(before, after, images[32:])


def test_channels_are_centred_and_fill_the_range(images: np.ndarray) -> None:
    after = values(level_streams(uneven(READERS["1x1"]()), images), images)
    widest = []
    for name in ("first", "project"):
        low, high = after[name].amin(dim=(0, 2, 3)), after[name].amax(dim=(0, 2, 3))
        torch.testing.assert_close(-low, high, rtol=1e-3, atol=1e-3 * float(high.max()))
        widest.append(high / high.max())
    assert all(share.min() > 1 / 32 for share in widest)
    total = after["add"].abs().amax(dim=(0, 2, 3))
    fullest = torch.stack([*widest, total / total.max()]).amax(dim=0)
    torch.testing.assert_close(fullest, torch.ones(8), rtol=0.02, atol=0)


def test_a_reader_that_pads_gets_channels_that_are_not_moved(images: np.ndarray) -> None:
    before = uneven(READERS["padded"]())
    after = level_streams(before, images)
    found, wanted = values(after, images)["first"], values(before, images)["first"]
    factors = (found / wanted).amax(dim=(0, 2, 3))
    assert factors.max() > 2
    torch.testing.assert_close(found, wanted * factors[:, None, None], rtol=1e-3, atol=1e-2)


def test_the_middle_of_very_large_values_is_finite(images: np.ndarray) -> None:
    before = uneven(READERS["1x1"]())
    with torch.no_grad():
        before.trunk.get_submodule("first").bias[3] = 3e38
    after = level_streams(before, images[:8])
    assert all(
        torch.isfinite(value).all() for value in after.trunk.get_submodule("first").parameters()
    )


def test_int8_noise_falls(images: np.ndarray) -> None:
    before = uneven(READERS["1x1"]())
    noise = [
        measure_sensitivity(each, images[:16], ROUNDINGS["int8"]).logits
        for each in (before, level_streams(before, images[:16]))
    ]
    assert noise[1] > noise[0] + 6


def test_a_channel_that_says_the_same_of_every_image_is_moved_and_not_stretched(
    images: np.ndarray,
) -> None:
    trunk = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.ReLU6())
    with torch.no_grad():
        trunk[0].weight[1] = 0
        trunk[0].bias[1] = 2
    before = deployable(trunk, 4)
    after = level_streams(before, images[:8])
    first, second = (after.trunk.get_submodule(name) for name in "01")
    assert first.bias[1] == 0
    assert torch.equal(second.weight[:, 1], before.trunk.get_submodule("1").weight[:, 1])
    check_same_answers(before, after, images[8:])


class Wired(nn.Module):
    """A first convolution, another, and a last one that reads what `wire` makes of both."""

    def __init__(self, wire: Callable[[nn.Module, Tensor], Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.first, self.other = nn.Conv2d(3, 8, 1, bias=False), nn.Conv2d(8, 8, 1)
        self.last = nn.Sequential(nn.Conv2d(8, 12, 1), nn.ReLU6())
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.wire = wire

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) to the last convolution's map."""
        return self.last(self.wire(self, self.first(pixels)))


WIRINGS = {
    "reads and writes one stream": (lambda net, x: x + net.other(x), {}),
    "reads one padded": (
        lambda net, x: x + net.other(x),
        {"other": nn.Conv2d(8, 8, 3, padding=1)},
    ),
    "twice itself": (lambda net, x: torch.add(x, x), {}),
    "in place": (lambda net, x: operator.iadd(net.other(torch.relu(x)), x), {}),
    "one convolution twice": (lambda net, x: x + net.other(net.other(x)), {}),
    "one channel to all": (
        lambda net, x: x + net.other(torch.relu(x)),
        {"other": nn.Conv2d(8, 1, 1)},
    ),
    "scaled": (lambda net, x: torch.add(x, net.other(x), alpha=2), {}),
    "plus a number": (lambda net, x: net.other(x + 1.0), {}),
}


@pytest.mark.parametrize("kind", WIRINGS)
def test_other_wirings_answer_as_before(kind: str, images: np.ndarray) -> None:
    wire, layers = WIRINGS[kind]
    torch.manual_seed(0)
    trunk = Wired(wire, **layers)
    with torch.no_grad():
        trunk.first.weight.mul_(torch.logspace(-1, 0.5, 8)[:, None, None, None])
    before = deployable(trunk, 12)
    check_same_answers(before, level_streams(before, images[:16]), images[16:])


@pytest.mark.parametrize(
    "kind", ["reads and writes one stream", "reads one padded", "twice itself"]
)
def test_those_wirings_are_levelled(kind: str) -> None:
    wire, layers = WIRINGS[kind]
    trunk = fx.symbolic_trace(deployable(Wired(wire, **layers), 12).trunk)
    (stream,) = (each for each in find_streams(trunk) if "first" in each.values)
    assert "add" in stream.values
    assert stream.padded == ("padded" in kind)


def test_weights_that_two_convolutions_share_are_left_alone(images: np.ndarray) -> None:
    trunk = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.ReLU6()
    )
    trunk[3].weight = trunk[1].weight
    before = deployable(trunk, 4)
    assert find_streams(fx.symbolic_trace(before.trunk)) == ()
    assert find_pairs(fx.symbolic_trace(before.trunk)) == ()
    check_same_answers(before, equalize(level_streams(before, images[:8]), images[:8]), images[8:])


def test_what_anything_else_reads_or_writes_is_no_stream(classifier: Classifier) -> None:
    trunk = fx.symbolic_trace(Deployable(classifier, 1.0).trunk)
    assert find_streams(trunk) == ()  # the projection is added to what comes from a ReLU6


@pytest.mark.parametrize(
    ("architecture", "sums"),
    [("mobilenet_v2", [0, 1, 2, 3, 2, 2, 0]), ("efficientnet_b0", [0, 1, 1, 2, 2, 3, 0])],
)
def test_every_linear_sum_of_these_networks_is_a_stream(architecture: str, sums: list[int]) -> None:
    model = build_classifier(architecture, 8).eval().requires_grad_(False)
    trunk = fx.symbolic_trace(Deployable(model, 1.0).trunk)
    streams = find_streams(trunk)
    assert [sum(name.startswith("add") for name in each.values) for each in streams] == sums
    assert not any(each.padded for each in streams)
