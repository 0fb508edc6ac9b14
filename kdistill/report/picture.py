"""Inputs that are images, as PNG inside the page: one, or a sheet of several."""

from base64 import b64encode
from io import BytesIO
from math import isqrt

import torch
from PIL import Image
from torch import Tensor

from kdistill.report.markup import Markup

CHANNELS = (1, 3)  # grey, colour
LARGEST = 192  # pixels of the longer side in the page
COLUMNS = 8  # of a sheet
SIDE = 256  # pixels of a side of a picture that stands in a sheet, at most
WIDTH = 300  # pixels of a sheet, about


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


def tiled(values: Tensor) -> Tensor | None:
    """Pictures [n, 1 or 3, height, width], or [n, side * side], uint8, as one; None for others
    and for larger ones than SIDE."""
    if not values.numel() or values.dtype != torch.uint8:
        return None
    if values.ndim == 2 and isqrt(values.shape[1]) ** 2 == values.shape[1]:
        values = values.view(len(values), 1, isqrt(values.shape[1]), -1)
    if values.ndim != 4 or values.shape[1] not in CHANNELS or max(values.shape[2:]) > SIDE:
        return None
    rows = -(-len(values) // COLUMNS)
    _, channels, height, width = values.shape
    sheet = torch.zeros(rows * COLUMNS, channels, height + 1, width + 1, dtype=torch.uint8)
    sheet[:, :, :, width], sheet[:, :, height] = 128, 128  # a line between them
    sheet[: len(values), :, :height, :width] = values
    grid = sheet.view(rows, COLUMNS, channels, height + 1, width + 1)
    whole = grid.permute(2, 0, 3, 1, 4).reshape(channels, rows * (height + 1), -1)
    scale = max(round(WIDTH / whole.shape[2]), 1)
    return whole.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
