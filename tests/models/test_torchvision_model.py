"""TorchvisionClassifier: known names, one plain output, and near names for a typo."""

import pytest
import torch

from kdistill.models.torchvision_model import TorchvisionClassifier


def test_is_the_network_of_that_name() -> None:
    model = TorchvisionClassifier("resnet18", classes=1000)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert parameters == 11_689_512  # as torchvision documents it


def test_a_network_with_a_second_output_gives_one_tensor() -> None:
    # in train mode, where torchvision's own returns a tuple
    logits = TorchvisionClassifier("googlenet", classes=3).train()(torch.rand(2, 3, 32, 32))
    assert logits.shape == (2, 3)


def test_a_typo_is_answered_with_near_names() -> None:
    with pytest.raises(ValueError, match="such as resnet18, .* got 'resnet81'"):
        TorchvisionClassifier("resnet81", classes=10)
    with pytest.raises(ValueError, match="must be a torchvision classifier"):
        TorchvisionClassifier("fcn_resnet50", classes=10)  # segments, does not classify
