"""Network in Network (Lin et al. 2013, arXiv 1312.4400), the teacher of Sau & Balasubramanian."""

from collections.abc import Sequence

from torch import Tensor, nn


class NetworkInNetwork(nn.Module):
    """Images [batch, channels, height, width] to logits [batch, classes].

    C5 192 - C1 160 - C1 96 - MP3s2 - dropout - C5 192 - C1 192 - C1 192 - AP3s2 - dropout -
    C3 192 - C1 192 - C1 classes - the mean of each class's map (AP8 for 32x32). Convolutions keep
    the size, pools round it up. A ReLU follows each but the last, so that logits can be negative;
    those start as He et al. 2015 say, the last as torch does.
    dropout: chance in [0, 1) to drop a pooled value while training.
    """

    def __init__(self, dropout: float, input_shape: Sequence[int], classes: int) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {dropout}")
        if len(input_shape) != 3:
            raise ValueError(f"inputs must be [channels, height, width], got {list(input_shape)}")
        self.layers = nn.Sequential(
            *_convolution(input_shape[0], 192, 5),
            *_convolution(192, 160, 1),
            *_convolution(160, 96, 1),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Dropout(dropout),
            *_convolution(96, 192, 5),
            *_convolution(192, 192, 1),
            *_convolution(192, 192, 1),
            nn.AvgPool2d(3, 2, ceil_mode=True),
            nn.Dropout(dropout),
            *_convolution(192, 192, 3),
            *_convolution(192, 192, 1),
            nn.Conv2d(192, classes, 1),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Floats [batch, channels, height, width] to logits [batch, classes]."""
        maps: Tensor = self.layers(inputs)
        return maps.mean(dim=(2, 3))


def _convolution(before: int, after: int, size: int) -> tuple[nn.Module, nn.Module]:
    convolution = nn.Conv2d(before, after, size, padding=size // 2)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return convolution, nn.ReLU()
