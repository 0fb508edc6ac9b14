"""Samples of every model side by side, where they are pictures."""

from math import isqrt

import torch
from torch import Tensor

from kdistill.report.comparison import MODELS
from kdistill.report.contents import Contents
from kdistill.report.markup import Markup, element
from kdistill.report.picture import data_uri

COLUMNS = 8
LARGEST = 256  # pixels of a side of a picture that is drawn
WIDTH = 300  # pixels of a sheet, about


def samples(contents: Contents) -> Markup:
    """A sheet for each model; nothing where there are none, or where they are no pictures."""
    drawn = []
    for name, title in MODELS.items():
        if name in contents.samples and (sheet := tiled(contents.samples[name])) is not None:
            count = f"{len(contents.samples[name])} samples"
            source = data_uri(sheet, max(sheet.shape))
            assert source is not None  # a sheet is a picture
            image = element("img", src=source, alt=f"{count} of the model: {title}")
            drawn.append(element("figure", element("h3", title), image))
    return element("div", *drawn, class_="figures samples") if drawn else Markup()


def tiled(values: Tensor) -> Tensor | None:
    """Pictures [n, 1 or 3, height, width], or [n, side * side], uint8, as one; None for others
    and for larger ones than LARGEST."""
    if not values.numel() or values.dtype != torch.uint8:
        return None
    if values.ndim == 2 and isqrt(values.shape[1]) ** 2 == values.shape[1]:
        values = values.view(len(values), 1, isqrt(values.shape[1]), -1)
    if values.ndim != 4 or values.shape[1] not in (1, 3) or max(values.shape[2:]) > LARGEST:
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
