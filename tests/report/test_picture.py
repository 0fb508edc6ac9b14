"""Inputs as PNG: the pixels a browser gets are the pixels of the data."""

from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from kdistill.report.picture import data_uri


def pixels(inputs: Tensor) -> "np.ndarray":
    uri = data_uri(inputs)
    assert uri is not None
    kind, _, data = uri.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(BytesIO(b64decode(data))))


def test_bytes_are_drawn_as_they_are() -> None:
    colour = torch.arange(3 * 4 * 5, dtype=torch.uint8).view(3, 4, 5)
    assert np.array_equal(pixels(colour), colour.permute(1, 2, 0).numpy())
    assert np.array_equal(pixels(colour[:1]), colour[0].numpy())


def test_floats_are_stretched_from_the_least_to_the_greatest() -> None:
    found = pixels(torch.tensor([[[-1.0, 0.0], [1.0, 3.0]]]))
    assert found.tolist() == [[0, 64], [128, 255]]
    assert pixels(torch.full((1, 2, 2), 7.0)).tolist() == [[0, 0], [0, 0]]


def test_large_pictures_are_made_smaller_in_proportion() -> None:
    assert pixels(torch.zeros(3, 400, 800, dtype=torch.uint8)).shape == (96, 192, 3)


@pytest.mark.parametrize("shape", [(20,), (2, 8, 8), (8, 8), (1, 0, 4)])
def test_what_is_no_image_has_none(shape: tuple[int, ...]) -> None:
    assert data_uri(torch.zeros(shape)) is None
