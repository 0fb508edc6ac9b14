"""LeNet: the parameters that the paper's layers add up to, and the inputs it can take."""

import pytest
import torch

from kdistill.models.lenet import LeNet


def test_has_the_parameters_of_the_papers_layers() -> None:
    model = LeNet([20, 50], 500, (1, 28, 28), classes=10)
    layers = [(25 + 1) * 20, (20 * 25 + 1) * 50, (50 * 4 * 4 + 1) * 500, (500 + 1) * 10]
    assert sum(parameter.numel() for parameter in model.parameters()) == sum(layers) == 431_080


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 17, 40), (2, 33, 16)], ids=str)
def test_takes_images_of_any_size_from_16(shape: tuple[int, ...]) -> None:
    assert LeNet([2, 3], 5, shape, classes=4)(torch.zeros(2, *shape)).shape == (2, 4)


@pytest.mark.parametrize("shape", [(1, 15, 28), (784,)], ids=str)
def test_refuses_what_is_too_small_or_no_image(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="sides >= 16"):
        LeNet([20, 50], 500, shape, classes=10)


def test_refuses_values_out_of_range() -> None:
    with pytest.raises(ValueError, match="channels must be two numbers"):
        LeNet([20], 500, (1, 28, 28), classes=10)
