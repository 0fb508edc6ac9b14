"""ResNet: the paper's parameter counts, and shortcuts that carry the input on unchanged."""

import pytest
import torch

from kdistill.models.resnet import Block, ResNet


@pytest.mark.parametrize(
    ("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)]
)
def test_has_the_papers_parameters(depth: int, millions: float) -> None:
    """He et al. 2016, table 6."""
    model = ResNet(depth, (3, 32, 32), classes=10)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    digits = 1 if depth == 110 else 2
    assert round(parameters / 1e6, digits) == millions


@pytest.mark.parametrize("depth", [8, 20])
def test_depth_counts_the_weighted_layers(depth: int) -> None:
    model = ResNet(depth, (1, 8, 8), classes=3)
    weighted = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(weighted) == depth


def test_a_block_whose_convolutions_are_zero_hands_its_input_on() -> None:
    block = Block(2, 4, stride=2).eval()
    torch.nn.init.zeros_(block.second[0].weight)
    x = torch.rand(1, 2, 4, 4)
    found = block(x)
    torch.testing.assert_close(found[:, :2], x[:, :, ::2, ::2])
    assert (found[:, 2:] == 0).all()


def test_width_multiplies_the_channels() -> None:
    assert ResNet(8, (3, 32, 32), classes=10, width=0.5).output.in_features == 32
    assert ResNet(8, (3, 32, 32), classes=10, width=4).output.in_features == 256


def test_takes_odd_sizes() -> None:
    assert ResNet(8, (1, 27, 13), classes=3)(torch.rand(2, 1, 27, 13)).shape == (2, 3)


@pytest.mark.parametrize("depth", [2, 18, 116])
def test_refuses_a_depth_that_is_not_in_the_paper(depth: int) -> None:
    with pytest.raises(ValueError, match=r"depth must be 6n \+ 2"):
        ResNet(depth, (3, 32, 32), classes=10)


def test_refuses_values_out_of_range() -> None:
    with pytest.raises(ValueError, match="width must be > 0"):
        ResNet(8, (3, 32, 32), classes=10, width=0)
    with pytest.raises(ValueError, match="inputs must be"):
        ResNet(8, (784,), classes=10)
