"""Pixels: from raw inputs to the floats that a network sees; part of the model, not of the data."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdistill.data.tree import Tree, floats


class Pixels(nn.Module):
    """Scale, resize, repeat a grey channel, standardise: `(x - mean) / std`.

    uint8 is divided by 255; other types pass unscaled, so `Pixels()` leaves floats as they are. It
    does so with each of several arrays too, but the options are for a single one.
    mean, std: one number, or one per channel (dimension 1); std > 0. They are saved with the
    weights unless they are 0 and 1. size: [height, width] or one number for both, by antialiased
    bilinear interpolation. channels: what the network needs; one channel is repeated to get there.
    """

    mean: Tensor | None  # scalar or [channels]
    std: Tensor | None

    def __init__(
        self,
        mean: float | Sequence[float] = 0.0,
        std: float | Sequence[float] = 1.0,
        size: int | Sequence[int] | None = None,
        channels: int | None = None,
    ) -> None:
        super().__init__()
        shift, scale = torch.tensor(mean).float(), torch.tensor(std).float()
        if not (scale > 0).all():
            raise ValueError(f"std must be > 0, got {std}")
        if channels is not None and channels < 1:
            raise ValueError(f"channels must be >= 1, got {channels}")
        self.size = _pair(size)
        self.channels = channels
        changes = bool((shift != 0).any() or (scale != 1).any())
        self.register_buffer("mean", shift if changes else None)
        self.register_buffer("std", scale if changes else None)

    def forward(self, inputs: Tree) -> Tree:
        """Raw inputs [batch, ...] to what the network sees."""
        x = floats(inputs)
        if not isinstance(x, Tensor):
            if self.size or self.channels or self.mean is not None:
                raise ValueError(
                    f"size, channels, mean and std are for one array, not for {', '.join(x)}"
                )
            return x
        if self.size is not None and tuple(x.shape[-2:]) != self.size:
            x = F.interpolate(x, self.size, mode="bilinear", align_corners=False, antialias=True)
        if self.channels is not None and x.shape[1] == 1:
            x = x.expand(-1, self.channels, *x.shape[2:])
        if self.mean is None or self.std is None:
            return x
        one_per_channel = (-1,) + (1,) * (x.dim() - 2)
        return (x - self.mean.view(one_per_channel)) / self.std.view(one_per_channel)

    def output_shape(self, input_shape: Sequence[int]) -> tuple[int, ...]:
        """Shape of one input after `forward`; ValueError where it could not be made."""
        shape = tuple(input_shape)
        if (self.size or self.channels) and len(shape) != 3:
            raise ValueError(f"size and channels need [channels, height, width], not {shape}")
        if self.channels:
            if shape[0] not in (1, self.channels):
                raise ValueError(f"channels must be null or {shape[0]}, got {self.channels}")
            shape = (self.channels, *shape[1:])
        for name, value in (("mean", self.mean), ("std", self.std)):
            if value is not None and value.dim() and len(value) not in (1, shape[0]):
                counts = "1 number" if shape[0] == 1 else f"1 or {shape[0]} numbers"
                raise ValueError(f"{name} must be {counts} (of channels), got {len(value)}")
        return (shape[0], *self.size) if self.size else shape


def _pair(size: int | Sequence[int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or min(sides) < 1:
        raise ValueError(f"size must be [height, width], each >= 1, got {size}")
    return sides
