"""Augmentation on the batch's device, with parameters drawn for each image.

The published code's set (PAPER.md, "Training in the published code"): zoom 1 to 2 times, resize,
flips, rotation with mirrored borders, blur, pixel or coarse dropout, brightness or hue and
saturation. Zoom, flips, rotation, the quarter turn of a view and the resize are one resampling.

Every draw comes from one generator and concerns the whole global batch, so that a process that
holds a part of it sees the same pictures as a process that holds all. Nothing waits for the device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from distill.models import normalise

_YIQ = (
    (0.299, 0.587, 0.114),
    (0.595716, -0.274453, -0.321263),
    (0.211456, -0.522591, 0.311135),
)
_COARSE_CELL = 0.08


@dataclass(frozen=True)
class Augmentation:
    """Strength and probability of each change; probabilities are per image.

    Attributes:
        zoom: largest magnification, with probability `zoom_p`.
        horizontal_p: probability of a horizontal flip; `vertical_p` of a vertical one.
        rotation: largest rotation in degrees to either side, with probability `rotation_p`.
        blur: largest standard deviation of the Gaussian in pixels of a 224 px image, `blur_p`.
        dropout: largest share of pixels or coarse cells that turn black, `dropout_p`.
        brightness: largest change in grey levels; `hue` in degrees; `saturation` as a share.
            One of brightness and hue with saturation is changed, with probability `colour_p`.
        quarter_turns: whether a single view is turned by a random multiple of 90 degrees.
    """

    zoom: float = 2.0
    zoom_p: float = 0.25
    horizontal_p: float = 0.5
    vertical_p: float = 0.2
    rotation: float = 120.0
    rotation_p: float = 0.25
    blur: float = 1.5
    blur_p: float = 0.25
    dropout: float = 0.1
    dropout_p: float = 0.1
    brightness: float = 15.0
    hue: float = 14.0
    saturation: float = 0.04
    colour_p: float = 0.25
    quarter_turns: bool = False


def make_views(
    pixels: Tensor,
    size: int,
    views: int,
    settings: Augmentation,
    generator: torch.Generator,
    part: tuple[int, int] = (0, 1),
) -> Tensor:
    """Draws `views` augmented views of each image, normalised, ready for a network.

    Args:
        pixels: (n, 3, E, E) uint8, this process's part of the global batch.
        size: S, edge of the views in pixels.
        views: 4 for views turned by 0, 90, 180 and 270 degrees (the unturned one first), each with
            its own augmentation as in the paper; 1 for one view.
        settings: what is changed, how much and how often.
        generator: on the device of `pixels`, in the same state in every process.
        part: (rank, world): this process holds images rank·n to (rank + 1)·n of world·n.

    Returns:
        (n·views, 3, S, S) float32, channels last; views of an image stand together.
    """
    rank, world = part
    count = len(pixels) * views
    local = slice(rank * count, (rank + 1) * count)

    def draw(*shape: int) -> Tensor:
        full = torch.rand((count * world, *shape), generator=generator, device=pixels.device)
        return full[local]

    turns = torch.arange(count, device=pixels.device) % views
    if views == 1 and settings.quarter_turns:
        turns = (draw() * 4).floor()
    affine = _affine(settings, turns, draw)
    source = _resized(pixels, size)
    source = source.repeat_interleave(views, dim=0) if views > 1 else source
    grid = F.affine_grid(affine, [count, 3, size, size], align_corners=False)
    views_ = F.grid_sample(
        source, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    if settings.blur_p:
        sigma = draw() * settings.blur * size / 224
        views_ = _blurred(views_, torch.where(draw() < settings.blur_p, sigma, 0.0))
    if settings.colour_p:
        views_ = _recoloured(views_, settings, draw)
    if settings.dropout_p:
        views_ = _dropped(views_, settings, draw)
    views_ = normalise(views_.clamp_(0, 255))
    return views_.contiguous(memory_format=torch.channels_last)


def plain_view(pixels: Tensor, size: int) -> Tensor:
    """The evaluation view: uint8 (n, 3, E, E) resized to S×S and normalised, channels last.

    Rounded to whole grey levels after the resize, as the picture that a phone feeds is.
    """
    resized = _resized(pixels, size).round() if pixels.shape[-1] != size else pixels.float()
    return normalise(resized).contiguous(memory_format=torch.channels_last)


def _resized(pixels: Tensor, size: int) -> Tensor:
    floats = pixels.float()
    if pixels.shape[-1] == size:
        return floats
    shrinks = pixels.shape[-1] > size
    return F.interpolate(
        floats, (size, size), mode="bilinear", align_corners=False, antialias=shrinks
    )


def _affine(settings: Augmentation, turns: Tensor, draw) -> Tensor:  # type: ignore[no-untyped-def]
    """Maps output to input coordinates: turn, rotation, zoom about a random centre, flips."""
    angle = (draw() * 2 - 1) * math.radians(settings.rotation)
    angle = torch.where(draw() < settings.rotation_p, angle, 0.0) + turns * (math.pi / 2)
    zoom = 1 + draw() * (settings.zoom - 1)
    scale = 1 / torch.where(draw() < settings.zoom_p, zoom, 1.0)
    flip_x = torch.where(draw() < settings.horizontal_p, -1.0, 1.0)
    flip_y = torch.where(draw() < settings.vertical_p, -1.0, 1.0)
    shift = (draw(2) * 2 - 1) * (1 - scale)[:, None]  # the zoomed window stays inside the picture
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [cos * flip_x, -sin * flip_y, shift[:, 0], sin * flip_x, cos * flip_y, shift[:, 1]]
    return torch.stack(rows, dim=1).view(-1, 2, 3)


def _blurred(images: Tensor, sigma: Tensor) -> Tensor:
    """Separable Gaussian blur with one standard deviation (pixels) an image; 0 changes nothing."""
    if images.device.type == "cpu":  # a GPU would wait for the number of blurred images
        blurred = sigma.nonzero()[:, 0]
        return images.index_copy(0, blurred, _smoothed(images[blurred], sigma[blurred]))
    return _smoothed(images, sigma)


def _smoothed(images: Tensor, sigma: Tensor) -> Tensor:
    """Two products with a band matrix for each image; its rows are normalised, also at the border.

    Args:
        images: (n, 3, S, S).
        sigma: in pixels, (n,); 0 makes the matrix an identity.
    """
    position = torch.arange(images.shape[-1], device=images.device)
    distance = (position[:, None] - position[None, :]) ** 2
    band = torch.exp(-distance / (2 * sigma.clamp(min=1e-3)[:, None, None] ** 2))
    band = (band / band.sum(dim=2, keepdim=True))[:, None]
    return band @ images @ band.transpose(2, 3)


def _recoloured(images: Tensor, settings: Augmentation, draw) -> Tensor:  # type: ignore[no-untyped-def]
    """Brightness, or hue (a turn in the chroma plane of YIQ) and saturation, for chosen images."""
    chosen, kind = draw() < settings.colour_p, draw() < 0.5
    offset = (draw() * 2 - 1) * settings.brightness
    offset = torch.where(chosen & kind, offset, 0.0)
    turned = chosen & ~kind
    hue = torch.where(turned, (draw() * 2 - 1) * math.radians(settings.hue), 0.0)
    saturation = torch.where(turned, 1 + (draw() * 2 - 1) * settings.saturation, 1.0)
    to_yiq, to_rgb = _colour_spaces(images.device)
    cos, sin = torch.cos(hue) * saturation, torch.sin(hue) * saturation
    one, zero = torch.ones_like(hue), torch.zeros_like(hue)
    turn = torch.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], dim=1).view(-1, 3, 3)
    matrix = to_rgb @ turn @ to_yiq
    mixed = torch.einsum("nij,njhw->nihw", matrix, images)
    return mixed + offset[:, None, None, None]


@lru_cache
def _colour_spaces(device: torch.device) -> tuple[Tensor, Tensor]:
    """RGB to YIQ and back, (3, 3) each, put on the device once."""
    to_yiq = torch.tensor(_YIQ)
    return to_yiq.to(device), torch.linalg.inv(to_yiq).to(device)


def _dropped(images: Tensor, settings: Augmentation, draw) -> Tensor:  # type: ignore[no-untyped-def]
    """Blackens a share of pixels, or of cells of 8 % of the edge, for chosen images."""
    size = images.shape[-1]
    cells = max(2, round(1 / _COARSE_CELL))
    chosen, coarse = draw() < settings.dropout_p, draw() < 0.5
    share = torch.where(chosen, draw() * settings.dropout, 0.0)[:, None, None]
    fine_mask = draw(size, size) < share
    coarse_mask = draw(cells, cells)[:, None] < share[:, None]
    coarse_mask = F.interpolate(coarse_mask.float(), (size, size), mode="nearest")[:, 0] > 0.5
    mask = torch.where(coarse[:, None, None], coarse_mask, fine_mask)
    return images * ~mask[:, None]
