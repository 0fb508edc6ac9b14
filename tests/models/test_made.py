"""MADE: that its masks make a distribution, that it samples from it, and its score."""

import itertools
from math import exp

import pytest
import torch
from torch import Tensor

from kdistill.models.made import MADE


def make(widths: list[int], bits: int, seed: int = 0) -> MADE:
    torch.manual_seed(seed)
    model = MADE(widths, (bits,), connectivity_seed=seed).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model


def all_inputs(count: int) -> Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=count)), dtype=torch.float64)


def test_computes_what_its_weights_say() -> None:
    model = make([1], 2)
    model.load_state_dict(
        {
            "hidden.0.weight": torch.tensor([[3.0, 7.0]]),  # the second is masked
            "hidden.0.bias": torch.tensor([-1.0]),
            "hidden.0.mask": torch.tensor([[True, False]]),
            "output.weight": torch.tensor([[5.0], [0.5]]),  # the first is masked
            "output.bias": torch.tensor([0.0, -1.0]),
            "output.mask": torch.tensor([[False], [True]]),
        }
    )
    # q(x_1 = 1) = 1/2; logit_2 = relu(3 x_1 - 1) / 2 - 1, which is 0 or -1
    expected = torch.tensor([0.5 / (1 + exp(-1)), 0.5 / (1 + exp(1)), 0.25, 0.25])
    torch.testing.assert_close(model(all_inputs(2)).exp(), expected.double())


@pytest.mark.parametrize("widths", [[40], [40, 40]])
def test_each_conditional_sees_all_bits_before_it_and_no_other(widths: list[int]) -> None:
    connected = torch.eye(6)
    model = make(widths, 6)
    for layer in (*model.hidden, model.output):
        connected = layer.mask.float() @ connected
    assert torch.equal(connected > 0, torch.ones(6, 6).tril(-1) > 0)


@pytest.mark.parametrize("real", [False, True])
def test_score_is_the_derivative_and_has_derivatives_itself(real: bool) -> None:
    model = make([30, 20], 9)
    x = torch.randn(5, 9).double() if real else (torch.rand(5, 9) < 0.4).double()
    value, score = model.score(x)
    y, target = x.clone().requires_grad_(), torch.randn_like(x)
    (expected,) = torch.autograd.grad(model(y).sum(), y, create_graph=True)
    torch.testing.assert_close(value, model(x))
    torch.testing.assert_close(score, expected, rtol=0, atol=1e-10)
    losses = ((each - target).square().sum() for each in (score, expected))
    got, wanted = (
        torch.autograd.grad(loss, list(model.parameters()), materialize_grads=True)
        for loss in losses
    )
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-8)


def test_connectivity_is_drawn_from_its_seed_and_kept_with_the_weights() -> None:
    one, same, other = (MADE([50], (1, 3, 4), connectivity_seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.output.mask, same.output.mask)
    assert not torch.equal(one.output.mask, other.output.mask)
    other.load_state_dict(one.state_dict())
    x = one.sample(6, torch.Generator().manual_seed(0))
    assert x.shape == (6, 1, 3, 4)
    assert torch.equal(other(x), one(x))


def test_masked_weights_get_no_gradient() -> None:
    model = make([30], 6)
    model(all_inputs(6)).sum().backward()
    for layer in (*model.hidden, model.output):
        assert (layer.weight.grad[~layer.mask] == 0).all()
        assert (layer.weight.grad[layer.mask] != 0).any()


@pytest.mark.parametrize("widths", [[], [3, 0]])
def test_out_of_range(widths: list[int]) -> None:
    with pytest.raises(ValueError, match=r"widths must be one or more numbers >= 1, got \["):
        MADE(widths, (3,))
