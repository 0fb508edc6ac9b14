"""Softening: closed forms, limits, and the distribution that the loss itself sees."""

import math

import pytest
import torch

from kdistill.measures.softening import entropy, softened


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_stored_probabilities_soften_as_the_logits_would(temperature: float) -> None:
    logits = 8 * torch.randn(200, 10, generator=torch.Generator().manual_seed(0)).double()
    expected = (logits / temperature).softmax(1)
    stored = logits.softmax(1).float()
    assert torch.allclose(softened(stored, temperature), expected, atol=1e-6)


def test_two_classes_by_hand() -> None:
    found = softened(torch.tensor([[0.8, 0.2]]), 2.0)  # odds of 4 become odds of 2
    assert found[0].tolist() == pytest.approx([2 / 3, 1 / 3])


def test_a_probability_too_small_to_store_is_not_zero_for_ever() -> None:
    certain = torch.tensor([[1.0, 0.0]])
    assert softened(certain, 1.0)[0, 1] < 1e-40
    assert softened(certain, 1e6)[0, 1] == pytest.approx(0.5, abs=1e-4)


def test_entropy_is_in_bits() -> None:
    rows = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0], [0.25] * 4])
    assert entropy(rows).tolist() == pytest.approx([0, 1, 2])


def test_entropy_grows_with_the_temperature_up_to_that_of_the_uniform_distribution() -> None:
    answers = (5 * torch.randn(50, 7, generator=torch.Generator().manual_seed(1))).softmax(1)
    mean = [float(entropy(softened(answers, t)).mean()) for t in (0.1, 1, 2, 8, 1e5)]
    assert mean == sorted(mean)
    assert mean[-1] == pytest.approx(math.log2(7), rel=1e-6)
