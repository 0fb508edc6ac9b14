"""The residual networks for small images of He et al. 2016, section 4.2 (arXiv 1512.03385)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ResNet(nn.Module):
    """Images [batch, channels, height, width] to logits [batch, classes].

    depth: 6n + 2 weighted layers, 8 to 110: three stages of n blocks with 16, 32 and 64 channels,
    times `width` (> 0, rounded). Shortcuts are the paper's option A: between stages every second
    pixel, missing channels zero, no parameters. Convolutions start as He et al. 2015 say.
    """

    def __init__(
        self, depth: int, input_shape: Sequence[int], classes: int, width: float = 1.0
    ) -> None:
        super().__init__()
        if depth not in range(8, 111, 6):
            raise ValueError(f"depth must be 6n + 2, from 8 to 110 (8, 14, 20 ...), got {depth}")
        if not width > 0:
            raise ValueError(f"width must be > 0, got {width}")
        if len(input_shape) != 3:
            raise ValueError(f"inputs must be [channels, height, width], got {list(input_shape)}")
        channels = [max(1, round(base * width)) for base in (16, 32, 64)]
        self.stem = _convolution(input_shape[0], channels[0], stride=1)
        blocks: list[nn.Module] = []
        before = channels[0]
        for stage, after in enumerate(channels):
            for position in range((depth - 2) // 6):
                stride = 2 if stage > 0 and position == 0 else 1
                blocks.append(Block(before, after, stride))
                before = after
        self.blocks = nn.Sequential(*blocks)
        self.output = nn.Linear(before, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Floats [batch, channels, height, width] to logits [batch, classes]."""
        x = self.blocks(torch.relu(self.stem(inputs)))
        logits: Tensor = self.output(x.mean(dim=(2, 3)))
        return logits


class Block(nn.Module):
    """Two 3x3 convolutions, batch-normalised, around a shortcut without parameters."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(before, after, stride)
        self.second = _convolution(after, after, stride=1)
        self.stride = stride
        self.missing = after - before  # channels that the shortcut fills with zeros

    def forward(self, x: Tensor) -> Tensor:
        """[batch, before, height, width] to [batch, after, height / stride, width / stride]."""
        shortcut = x[:, :, :: self.stride, :: self.stride] if self.stride > 1 else x
        if self.missing:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.missing))
        return torch.relu(self.second(torch.relu(self.first(x))) + shortcut)


def _convolution(before: int, after: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(after))
