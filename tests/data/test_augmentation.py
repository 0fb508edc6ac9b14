"""Augmentations: what each may do to an image, that it does all of it, and from the key alone."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kdistill.data.augmentation import Augmentation, Crop, Cutout, Flip, Shift
from kdistill.data.randomness import sample_keys
from kdistill.errors import UserError

ALL = [Shift(2), Crop(2), Flip(0.5), Cutout(4)]


def _images(count: int, channels: int = 1, height: int = 6, width: int = 5) -> Tensor:
    """Uint8 images whose pixels, all different and none 0, tell where they came from."""
    pixels = torch.arange(1, channels * height * width + 1, dtype=torch.uint8)
    return pixels.view(1, channels, height, width).repeat(count, 1, 1, 1)


def _keys(count: int) -> Tensor:
    return sample_keys(0, 0, torch.arange(count))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("augmentation", ALL)
def test_each_image_depends_on_its_own_key_only(augmentation: Augmentation, dtype) -> None:  # type: ignore[no-untyped-def]
    images, keys = torch.randint(0, 256, (50, 3, 9, 8)).to(dtype), _keys(50)
    together = augmentation(images, keys)
    assert together.dtype == dtype
    assert together.shape == images.shape
    assert not torch.equal(together, images)
    backwards = augmentation(images.flip(0), keys.flip(0)).flip(0)
    alone = torch.cat([augmentation(images[i : i + 1], keys[i : i + 1]) for i in range(50)])
    assert torch.equal(backwards, together)
    assert torch.equal(alone, together)


def _counts(results: Tensor, allowed: list[Tensor]) -> list[int]:
    return [int((results == one).flatten(1).all(1).sum()) for one in allowed]


@pytest.mark.parametrize(("shift", "mode"), [(Shift(2), "constant"), (Crop(2), "reflect")])
def test_windows_take_every_place_equally_often(shift: Augmentation, mode: str) -> None:
    images = _images(5000, channels=2)
    padded = F.pad(images[:1].float(), (2,) * 4, mode=mode).to(torch.uint8)
    allowed = [padded[0, :, y : y + 6, x : x + 5] for y, x in product(range(5), range(5))]
    counts = _counts(shift(images, _keys(5000)), allowed)
    assert sum(counts) == 5000
    assert min(counts) > 140  # expected 200 each, deviation 14
    assert max(counts) < 260


def test_flip_mirrors_with_its_probability() -> None:
    images = _images(4000, channels=2)
    counts = _counts(Flip(0.3)(images, _keys(4000)), [images[0], images[0].flip(-1)])
    assert sum(counts) == 4000
    assert abs(counts[1] - 1200) < 120  # four deviations
    assert torch.equal(Flip(1.0)(images, _keys(4000)), images.flip(-1))
    assert torch.equal(Flip(0.0)(images, _keys(4000)), images)


def test_cutout_clears_one_square_around_any_pixel() -> None:
    images = _images(4000, channels=2)
    cleared = Cutout(3)(images, _keys(4000)) == 0
    assert torch.equal(cleared[:, 0], cleared[:, 1])
    holes = []
    for y, x in product(range(6), range(5)):
        hole = torch.zeros(6, 5, dtype=torch.bool)
        hole[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] = True
        holes.append(hole)
    counts = _counts(cleared[:, 0], holes)
    assert sum(counts) == 4000
    assert min(counts) > 85  # expected 133 each, deviation 11


@pytest.mark.parametrize("augmentation", [Shift(0), Crop(0), Flip(0), Cutout(0)])
def test_nothing_changes_at_zero(augmentation: Augmentation) -> None:
    images = _images(3)
    assert torch.equal(augmentation(images, _keys(3)), images)


def test_shift_and_crop_draw_differently() -> None:
    images = torch.rand(200, 1, 12, 12)
    moved, cropped = Shift(2)(images, _keys(200)), Crop(2)(images, _keys(200))
    inner_equal = (moved == cropped)[:, :, 4:-4, 4:-4].flatten(1).all(1).sum()
    assert inner_equal < 30  # expected 8: the same of 25 places by chance


def test_refused() -> None:
    for make in (Shift, Crop, Cutout):
        with pytest.raises(ValueError, match=">= 0, got -1"):
            make(-1)
    with pytest.raises(ValueError, match=r"probability must be in \[0, 1\], got 1.5"):
        Flip(1.5)
    with pytest.raises(UserError, match=r"padding must be < 5"):
        Crop(5)(_images(1), _keys(1))
    for augmentation in ALL:
        with pytest.raises(UserError, match=r"the shape \[4\]"):
            augmentation(torch.zeros(2, 4), _keys(2))
