"""Network in Network (Lin et al. 2013, arXiv 1312.4400), the teacher of Sau & Balasubramanian."""

from collections.abc import Sequence

from torch import Tensor, nn


class NetworkInNetwork(nn.Module):
    """Images [batch, channels, height, width] to logits [batch, classes].

    C5 192 - C1 160 - C1 96 - MP3s2 - dropout - C5 192 - C1 192 - C1 192 - AP3s2 - dropout -
    C3 192 - C1 192 - C1 classes - the mean of each class's map (AP8 for 32x32). Convolutions keep
    the size, pools round it up. A ReLU follows each but the last, so that logits can be negative;
    those start as He et al. 2015 say, the last as torch does.
    dropout: chance in [0, 1) to drop a pooled value while training; width: factor > 0 on the
    channels, rounded, at least one.
    """

    def __init__(
        self, dropout: float, input_shape: Sequence[int], classes: int, width: float = 1.0
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {dropout}")
        if not width > 0:
            raise ValueError(f"width must be > 0, got {width:g}")
        if len(input_shape) != 3:
            raise ValueError(f"inputs must be [channels, height, width], got {list(input_shape)}")
        wide, middle, narrow = (max(round(width * each), 1) for each in (192, 160, 96))
        self.layers = nn.Sequential(
            *_convolution(input_shape[0], wide, 5),
            *_convolution(wide, middle, 1),
            *_convolution(middle, narrow, 1),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Dropout(dropout),
            *_convolution(narrow, wide, 5),
            *_convolution(wide, wide, 1),
            *_convolution(wide, wide, 1),
            nn.AvgPool2d(3, 2, ceil_mode=True),
            nn.Dropout(dropout),
            *_convolution(wide, wide, 3),
            *_convolution(wide, wide, 1),
            nn.Conv2d(wide, classes, 1),
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
