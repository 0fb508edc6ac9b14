"""Noise as a transfer set: its distribution, its name, and a student that learns from it."""

import pytest
import torch

from kdistill.data.noise import Noise
from kdistill.data.tensors import from_tensors

PICTURES = torch.zeros(4, 1, 6, 5, dtype=torch.uint8)
DATASET = from_tensors((PICTURES, torch.arange(4)), (PICTURES, torch.arange(4)))


def test_inputs_have_the_shape_of_the_data_and_the_distribution_asked_for() -> None:
    examples = Noise(5000, mean=0.5, std=0.25).examples(DATASET)
    inputs = examples.inputs
    assert isinstance(inputs, torch.Tensor)
    assert inputs.shape == (5000, 1, 6, 5)
    assert inputs.dtype == torch.float32
    assert float(inputs.mean()) == pytest.approx(0.5, abs=0.004)  # 6 standard errors
    assert float(inputs.std()) == pytest.approx(0.25, rel=0.01)
    assert examples.targets is None


def test_the_same_noise_each_time_named_by_what_made_it() -> None:
    few, many = Noise(10).examples(DATASET), Noise(30).examples(DATASET)
    assert torch.equal(few.inputs, many.inputs[:10])
    assert few.origin == many.origin  # answers about the first ten serve both
    origins = {Noise(10, **keys).examples(DATASET).origin for keys in ({}, {"seed": 1}, {"std": 2})}
    assert len(origins) == 3


def test_an_epoch_goes_through_a_small_set_again_and_again() -> None:
    stream = Noise(10, epoch_size=100).stream(DATASET, 5, 0, torch.device("cpu"))
    assert len(stream) == 20


@pytest.mark.parametrize("keys", [{"size": 0}, {"size": 1, "std": 0}, {"size": 1, "epoch_size": 0}])
def test_values_out_of_range_are_refused(keys: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"{[*keys][-1]} must be >"):
        Noise(**keys)
