"""NetworkInNetwork: the layers of the paper, counted."""

import pytest
import torch

from kdistill.models.network_in_network import NetworkInNetwork

# (inputs, outputs, side) of each convolution for coloured images and 10 classes
CONVOLUTIONS = [
    (3, 192, 5), (192, 160, 1), (160, 96, 1),
    (96, 192, 5), (192, 192, 1), (192, 192, 1),
    (192, 192, 3), (192, 192, 1), (192, 10, 1),
]  # fmt: skip


def test_has_the_parameters_of_the_papers_layers() -> None:
    model = NetworkInNetwork(0.5, (3, 32, 32), classes=10)
    expected = sum((before * side * side + 1) * after for before, after, side in CONVOLUTIONS)
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


def test_the_last_maps_of_a_32_pixel_image_are_8_by_8() -> None:
    model = NetworkInNetwork(0.5, (3, 32, 32), classes=10).eval()
    assert model.layers(torch.rand(1, 3, 32, 32)).shape == (1, 10, 8, 8)


def test_logits_can_have_either_sign() -> None:
    torch.manual_seed(0)
    logits = NetworkInNetwork(0.0, (1, 8, 8), classes=10)(torch.randn(4, 1, 8, 8))
    assert logits.min() < 0 < logits.max()


def test_refuses_values_out_of_range() -> None:
    with pytest.raises(ValueError, match="dropout must be in"):
        NetworkInNetwork(1.0, (3, 32, 32), classes=10)
    with pytest.raises(ValueError, match="inputs must be"):
        NetworkInNetwork(0.5, (784,), classes=10)
