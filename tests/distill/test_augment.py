"""Augmentation: per image, reproducible, and the same pictures for any number of processes."""

from __future__ import annotations

import numpy as np
import torch

from distill.augment import Augmentation, _blurred, _smoothed, make_views, plain_view
from distill.models import normalise

STILL = Augmentation(
    zoom_p=0, horizontal_p=0, vertical_p=0, rotation_p=0, blur_p=0, dropout_p=0, colour_p=0
)


def _images(count: int = 4, edge: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    coarse = torch.randint(0, 256, (count, 3, 4, 4), generator=generator).float()
    smooth = torch.nn.functional.interpolate(coarse, (edge, edge), mode="bilinear")
    return smooth.round().to(torch.uint8)


def _draw(images: torch.Tensor, views: int = 1, settings: Augmentation | None = None, **more):  # type: ignore[no-untyped-def]
    generator = torch.Generator().manual_seed(7)
    return make_views(images, 32, views, settings or Augmentation(), generator, **more)


def test_nothing_to_change_gives_the_normalised_picture() -> None:
    images = _images()
    assert torch.allclose(_draw(images, settings=STILL), normalise(images.float()), atol=1e-4)


def test_four_views_are_quarter_turns_with_the_upright_one_first() -> None:
    images = _images(2)
    found = _draw(images, 4, STILL).view(2, 4, 3, 32, 32)
    upright = normalise(images.float())
    for turn in range(4):
        turned = torch.rot90(upright, turn, dims=(2, 3))
        error = (found[:, turn] - turned).abs().max()
        assert error < 1e-3, (turn, error)


def test_parameters_differ_between_images_of_a_batch() -> None:
    same = _images(1).expand(16, -1, -1, -1)
    found = _draw(same)
    assert len({round(float(view.sum()), 3) for view in found}) > 8


def test_the_same_generator_state_gives_the_same_views() -> None:
    assert torch.equal(_draw(_images(), 4), _draw(_images(), 4))


def test_two_processes_see_the_pictures_of_one() -> None:
    images = _images(8)
    whole = _draw(images, 4)
    parts = [_draw(images[4 * rank : 4 * rank + 4], 4, part=(rank, 2)) for rank in (0, 1)]
    assert torch.allclose(torch.cat(parts), whole, atol=1e-6)


def test_every_change_changes_something_and_stays_in_range() -> None:
    images = _images(8)
    plain = _draw(images, settings=STILL)
    for field in ("zoom_p", "horizontal_p", "vertical_p", "rotation_p", "blur_p", "colour_p"):
        settings = Augmentation(**{**vars(STILL), field: 1.0, "blur": 15.0})
        found = _draw(images, settings=settings)
        assert (found - plain).abs().amax(dim=(1, 2, 3)).gt(1e-3).all(), field
        assert found.min() >= -128 / 127.5 - 1e-6
        assert found.max() <= 127 / 127.5 + 1e-6


def test_dropout_blackens_at_most_the_stated_share() -> None:
    white = torch.full((64, 3, 32, 32), 255, dtype=torch.uint8)
    settings = Augmentation(**{**vars(STILL), "dropout_p": 1.0, "dropout": 0.1})
    black = (_draw(white, settings=settings) < -1).float().mean(dim=(1, 2, 3))
    assert 0.01 < black.mean() < 0.12
    assert black.max() < 0.3


def test_only_chosen_images_are_blurred_and_all_at_once_gives_the_same() -> None:
    images = torch.rand((6, 3, 20, 20), generator=torch.Generator().manual_seed(0)) * 255
    sigma = torch.tensor([0.0, 1.0, 0.0, 0.4, 2.5, 0.0])
    found = _blurred(images, sigma)
    for image, before, width in zip(found, images, sigma, strict=True):
        assert torch.equal(image, before) == (width == 0)
    # What a GPU computes: every image, those with 0 by an identity.
    assert torch.allclose(found, _smoothed(images, sigma), atol=1e-4)


def test_blur_keeps_the_mean_and_lowers_the_contrast() -> None:
    noise = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    blurred = _draw(noise, settings=Augmentation(**{**vars(STILL), "blur_p": 1.0, "blur": 10.0}))
    plain = normalise(noise.float())
    assert (blurred.mean() - plain.mean()).abs() < 0.02
    assert blurred.std() < 0.9 * plain.std()


def test_evaluation_view_equals_pillow_within_one_grey_level() -> None:
    from PIL import Image

    images = _images(2, 30)
    found = plain_view(images, 56) * 127.5 + 128
    for image, view in zip(images, found, strict=True):
        picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        resized = picture.resize((56, 56), Image.Resampling.BILINEAR)
        expected = torch.from_numpy(np.array(resized)).permute(2, 0, 1)
        assert (view - expected).abs().max() <= 1.001
