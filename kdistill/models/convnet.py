"""ConvNet: convolutions with pooling and one hidden layer (Sau & Balasubramanian 2016, table 5)."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


class ConvNet(nn.Module):
    """Images [batch, channels, height, width] to logits [batch, classes].

    For each entry of channels and kernels (odd): a convolution that keeps the size, ReLU, MP2;
    then FC hidden - ReLU - FC classes. Sides >= 2 ** len(channels). With [16, 32, 64], [5, 5, 3]
    and 1024 it is the smallest student of the paper: 6.7 million multiply-adds at 32x32x3.
    """

    def __init__(
        self,
        channels: Sequence[int],
        kernels: Sequence[int],
        hidden: int,
        input_shape: Sequence[int],
        classes: int,
    ) -> None:
        super().__init__()
        if not channels or len(channels) != len(kernels) or min(*channels, *kernels, hidden) < 1:
            raise ValueError(
                "channels and kernels must be as many numbers >= 1, and hidden >= 1, got "
                f"{list(channels)}, {list(kernels)}, {hidden}"
            )
        if any(kernel % 2 == 0 for kernel in kernels):
            raise ValueError(f"kernels must be odd, got {list(kernels)}")
        least = 2 ** len(channels)
        if len(input_shape) != 3 or min(input_shape[1:]) < least:
            raise ValueError(
                f"inputs must be [channels, height, width] with sides >= {least}, "
                f"got {list(input_shape)}"
            )
        layers: list[nn.Module] = []
        for (before, after), kernel in zip(
            pairwise([input_shape[0], *channels]), kernels, strict=True
        ):
            convolution = nn.Conv2d(before, after, kernel, padding=kernel // 2)
            layers += [convolution, nn.ReLU(), nn.MaxPool2d(2)]
        height, width = (side // least for side in input_shape[1:])
        self.layers = nn.Sequential(
            *layers,
            nn.Flatten(),
            nn.Linear(channels[-1] * height * width, hidden),
            nn.ReLU(),
            nn.Linear(hidden, classes),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Floats [batch, channels, height, width] to logits [batch, classes]."""
        logits: Tensor = self.layers(inputs)
        return logits
