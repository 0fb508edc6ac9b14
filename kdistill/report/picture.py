"""Inputs that are images, as PNG inside the page."""

from base64 import b64encode
from io import BytesIO

import torch
from PIL import Image
from torch import Tensor

from kdistill.report.markup import Markup

CHANNELS = (1, 3)  # grey, colour
LARGEST = 192  # pixels of the longer side in the page


def data_uri(inputs: Tensor, largest: int = LARGEST) -> Markup | None:
    """A data: URI of one input [1 or 3, height, width]; None for what is no image.

    uint8 is drawn as it is; floats are stretched from their least to their greatest value.
    largest: pixels of the longer side, at most.
    """
    if inputs.ndim != 3 or inputs.shape[0] not in CHANNELS or not inputs.numel():
        return None
    pixels = inputs if inputs.dtype == torch.uint8 else _stretched(inputs)
    rows = pixels.permute(1, 2, 0).squeeze(2).contiguous().numpy()
    image = Image.fromarray(rows)
    image.thumbnail((largest, largest))
    written = BytesIO()
    image.save(written, "PNG", optimize=True)
    return Markup(f"data:image/png;base64,{b64encode(written.getvalue()).decode()}")


def _stretched(values: Tensor) -> Tensor:
    least, greatest = values.min(), values.max()
    return ((values - least) / (greatest - least).clamp(min=1e-12) * 255).round().to(torch.uint8)
