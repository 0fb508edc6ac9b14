"""mixing: R-hat by hand, chains that stay apart, that still move away, and that are frozen."""

import pytest
import torch
from torch import Tensor

from kdistill.measures.mixing import mixing, split_r_hat
from kdistill.models.rbm import RBM


def noise(records: int, chains: int) -> Tensor:
    return torch.randn(records, chains, generator=torch.Generator().manual_seed(0))


def test_r_hat_by_hand() -> None:
    # halves 0 2, 4 6 and 1 3, 5 7: means 1, 5, 2, 6, of variance 17 / 3, and a variance of 2 each
    traces = torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]])
    assert split_r_hat(traces) == pytest.approx((1 / 2 + 17 / 3 / 2) ** 0.5)
    assert split_r_hat(torch.cat([traces[:2], noise(1, 2), traces[2:]])) == pytest.approx(
        split_r_hat(traces)
    )  # of an odd number the one in the middle is left out


def test_independent_values_mix() -> None:
    assert mixing(noise(100, 50)) is None
    assert split_r_hat(noise(1000, 50)) == pytest.approx(1, abs=0.005)


def test_chains_that_stay_where_they_started_are_told() -> None:
    apart = noise(100, 50) + torch.arange(50) % 2  # two places, one deviation apart
    assert "do not mix: split R-hat" in str(mixing(apart))


def test_chains_on_their_way_are_told() -> None:
    assert mixing(noise(100, 50) + torch.linspace(0, 3, 100)[:, None]) is not None


def test_frozen_chains_are_told_where_they_differ() -> None:
    assert split_r_hat(torch.arange(5.0).expand(10, 5)) == float("inf")
    assert mixing(torch.arange(5.0).expand(10, 5)) is not None
    assert mixing(torch.ones(10, 5)) is None


@pytest.mark.parametrize(("strength", "mixes"), [(0.5, True), (4.0, False)])
def test_an_rbm_of_two_modes(strength: float, mixes: bool) -> None:
    """One hidden unit holds all bits alike; when it does so firmly no chain changes sides."""
    rbm, generator = RBM(1, (20,)), torch.Generator().manual_seed(0)
    with torch.no_grad():
        rbm.weight.fill_(2 * strength)
        rbm.visible_bias.fill_(-strength)
        rbm.hidden_bias.fill_(-20 * strength + 0.5)
    chains = (torch.arange(40) % 2).float()[:, None].expand(-1, 20)
    traces = []
    for _ in range(100):
        chains = rbm.gibbs(chains, generator)
        traces.append(rbm(chains).detach())
    assert (mixing(torch.stack(traces)) is None) is mixes


@pytest.mark.parametrize("shape", [(3, 5), (10, 1), (10,)])
def test_too_few_records_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="traces must be"):
        split_r_hat(torch.zeros(shape))
