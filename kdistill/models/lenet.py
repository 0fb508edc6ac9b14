"""LeNet: two 5x5 convolutions with pooling, then one hidden layer (Sau & Balasubramanian 2016)."""

from collections.abc import Sequence

from torch import Tensor, nn


class LeNet(nn.Module):
    """Images [batch, channels, height, width], sides >= 16, to logits [batch, classes].

    C5 channels[0] - MP2 - C5 channels[1] - MP2 - FC hidden - FC classes, ReLU after each but the
    pools and the last, no padding, initialised as torch does. With [20, 50] and 500 it is the
    MNIST teacher of Sau & Balasubramanian (arXiv 1610.09650).
    """

    def __init__(
        self, channels: Sequence[int], hidden: int, input_shape: Sequence[int], classes: int
    ) -> None:
        super().__init__()
        if len(channels) != 2 or min(*channels, hidden) < 1:
            raise ValueError(
                f"channels must be two numbers >= 1 and hidden >= 1, got {list(channels)}, {hidden}"
            )
        if len(input_shape) != 3 or min(input_shape[1:]) < 16:
            raise ValueError(
                "inputs must be [channels, height, width] with sides >= 16, "
                f"got {list(input_shape)}"
            )
        first, second = channels
        height, width = (((side - 4) // 2 - 4) // 2 for side in input_shape[1:])
        self.layers = nn.Sequential(
            nn.Conv2d(input_shape[0], first, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(first, second, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(second * height * width, hidden),
            nn.ReLU(),
            nn.Linear(hidden, classes),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Floats [batch, channels, height, width] to logits [batch, classes]."""
        logits: Tensor = self.layers(inputs)
        return logits
