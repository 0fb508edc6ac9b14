"""ConvNet: the multiply-adds that the paper counts, and the inputs it can take."""

import pytest
import torch

from kdistill.measures.cost import multiply_adds
from kdistill.models.convnet import ConvNet


@pytest.mark.parametrize(
    ("channels", "kernels", "millions"),
    [([16, 32, 64], [5, 5, 3], 6.7), ([32, 32, 64], [5, 5, 3], 11.2)],
)
def test_has_the_multiplications_of_the_papers_table(
    channels: list[int], kernels: list[int], millions: float
) -> None:
    model = ConvNet(channels, kernels, 1024, (3, 32, 32), classes=10)
    counted = multiply_adds(model, torch.zeros(1, 3, 32, 32))
    assert counted == pytest.approx(millions * 1e6, rel=0.01)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 17, 40)], ids=str)
def test_takes_images_of_any_size_that_pools(shape: tuple[int, ...]) -> None:
    assert ConvNet([2, 3, 4], [5, 3, 1], 5, shape, 4)(torch.zeros(2, *shape)).shape == (2, 4)


@pytest.mark.parametrize(
    ("channels", "kernels", "shape", "said"),
    [
        ([2, 3], [5], (1, 8, 8), "as many numbers >= 1"),
        ([2], [4], (1, 8, 8), "kernels must be odd"),
        ([2, 2, 2, 2], [3, 3, 3, 3], (1, 8, 8), "sides >= 16"),
    ],
)
def test_refuses_what_does_not_fit(
    channels: list[int], kernels: list[int], shape: tuple[int, ...], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        ConvNet(channels, kernels, 5, shape, classes=4)
