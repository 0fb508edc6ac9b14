"""Augmentations of image batches: every sample is changed by numbers drawn from its own key."""

from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from kdistill.data.randomness import purpose_of, uniform
from kdistill.errors import UserError


class Augmentation(Protocol):
    """Takes the inputs of a batch, as the data set has them, and keys [batch]; keeps shape and
    dtype. Those here take images [batch, channels, height, width]."""

    def __call__(self, inputs: Any, key: Tensor) -> Any: ...


class Shift:
    """Moves the whole image by up to `pixels` each way; what moves in is 0 (Hinton et al. 2015)."""

    def __init__(self, pixels: int) -> None:
        if pixels < 0:
            raise ValueError(f"pixels must be >= 0, got {pixels}")
        self.pixels = pixels

    def __call__(self, inputs: Tensor, key: Tensor) -> Tensor:
        height, width = _image_size(inputs)
        padded = F.pad(inputs, (self.pixels,) * 4)
        return _random_windows(padded, height, width, key, purpose_of("shift"))


class Crop:
    """Pads by `padding` mirrored pixels and cuts the old size out anywhere (as for CIFAR)."""

    def __init__(self, padding: int) -> None:
        if padding < 0:
            raise ValueError(f"padding must be >= 0, got {padding}")
        self.padding = padding

    def __call__(self, inputs: Tensor, key: Tensor) -> Tensor:
        height, width = _image_size(inputs)
        if self.padding >= min(height, width):
            raise UserError(
                f"Crop: padding must be < {min(height, width)}, the side of the images, "
                f"got {self.padding}"
            )
        padded = F.pad(inputs, (self.padding,) * 4, mode="reflect")
        return _random_windows(padded, height, width, key, purpose_of("crop"))


class Flip:
    """Mirrors left and right with `probability`."""

    def __init__(self, probability: float) -> None:
        if not 0 <= probability <= 1:
            raise ValueError(f"probability must be in [0, 1], got {probability}")
        self.probability = probability

    def __call__(self, inputs: Tensor, key: Tensor) -> Tensor:
        _image_size(inputs)
        flipped = uniform(key, 1, purpose_of("flip")) < self.probability  # [batch, 1]
        return torch.where(flipped[:, :, None, None], inputs.flip(-1), inputs)


class Cutout:
    """Sets a square of side `size` to 0, centred anywhere, cut at the border (DeVries 2017)."""

    def __init__(self, size: int) -> None:
        if size < 0:
            raise ValueError(f"size must be >= 0, got {size}")
        self.size = size

    def __call__(self, inputs: Tensor, key: Tensor) -> Tensor:
        height, width = _image_size(inputs)
        draws = uniform(key, 2, purpose_of("cutout"))
        inside_rows = self._inside(draws[:, :1], height)  # [batch, height]
        inside_columns = self._inside(draws[:, 1:], width)
        hole = inside_rows[:, None, :, None] & inside_columns[:, None, None, :]
        return inputs.masked_fill(hole, 0)

    def _inside(self, draw: Tensor, side: int) -> Tensor:
        first = (draw * side).long() - self.size // 2
        position = torch.arange(side, device=draw.device)
        return (position >= first) & (position < first + self.size)


def _random_windows(padded: Tensor, height: int, width: int, key: Tensor, purpose: int) -> Tensor:
    """One window [channels, height, width] of each padded image, every place equally likely."""
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view: [n, c, tops, lefts, h, w]
    tops, lefts = windows.shape[2:4]
    draws = uniform(key, 2, purpose)
    top, left = (draws[:, 0] * tops).long(), (draws[:, 1] * lefts).long()
    return windows[torch.arange(len(key), device=key.device), :, top, left]


def _image_size(inputs: Tensor) -> tuple[int, int]:
    if not isinstance(inputs, Tensor) or inputs.dim() != 4:
        others = (
            f"the shape {[*inputs.shape[1:]]}" if isinstance(inputs, Tensor) else "several arrays"
        )
        raise UserError(
            "transfer.augmentation: needs images [channels, height, width], "
            f"but one input has {others}; use transfer=train"
        )
    return inputs.shape[2], inputs.shape[3]
