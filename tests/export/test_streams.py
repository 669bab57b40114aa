"""Linear streams are levelled: channels fill their tensor's range and no answer changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, fx, nn

from distill.models import Classifier, build_classifier
from export.deployable import Deployable
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
    width = reader.out_channels
    model = Classifier("residual", trunk, width, 4, 0.0).eval().requires_grad_(False)
    return Deployable(model, 1.0)


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
    pixels = torch.from_numpy(images[32:]).float()
    pixels = pixels.permute(0, 3, 1, 2) if first else pixels
    changed = after.trunk.get_submodule("first").weight - before.trunk.get_submodule("first").weight
    assert changed.abs().max() > 0.1 * before.trunk.get_submodule("first").weight.abs().max()
    wanted = before(pixels).cam
    torch.testing.assert_close(
        after(pixels).cam, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max())
    )


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
    torch.testing.assert_close(found, wanted * factors[:, None, None], rtol=1e-3, atol=1e-2)


def test_int8_noise_falls(images: np.ndarray) -> None:
    before = uneven(READERS["1x1"]())
    noise = [
        measure_sensitivity(each, images[:16], ROUNDINGS["int8"]).logits
        for each in (before, level_streams(before, images[:16]))
    ]
    assert noise[1] > noise[0] + 6


def test_a_channel_that_says_the_same_of_every_image_is_left_alone(images: np.ndarray) -> None:
    trunk = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.ReLU6())
    with torch.no_grad():
        trunk[0].weight[1] = 0
    model = Classifier("constant", trunk, 4, 4, 0.0).eval().requires_grad_(False)
    before = Deployable(model, 1.0)
    after = level_streams(before, images[:8])
    for name, value in after.trunk.named_parameters():
        assert torch.isfinite(value).all(), name
    assert torch.equal(after.trunk.get_submodule("0").weight[1], torch.zeros(3, 1, 1))
    pixels = torch.from_numpy(images[8:]).float()
    torch.testing.assert_close(after(pixels).cam, before(pixels).cam, rtol=1e-3, atol=1e-3)


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
