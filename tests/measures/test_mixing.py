"""mixing: R-hat by hand, chains that stay apart, that still move away, and that are frozen."""

import pytest
import torch
from torch import Tensor

from kdistill.measures.mixing import mixing, split_r_hat, watched_chains
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


def two_modes(strength: float) -> RBM:
    """One hidden unit holds twenty bits alike, all 0 or all 1: two modes of one density."""
    rbm = RBM(1, (20,))
    with torch.no_grad():
        rbm.weight.fill_(2 * strength)
        rbm.visible_bias.fill_(-strength)
        rbm.hidden_bias.fill_(-20 * strength)
    return rbm


@pytest.mark.parametrize(("strength", "mixes"), [(0.2, True), (4.0, False)])
def test_modes_of_one_density_are_told_apart(strength: float, mixes: bool) -> None:
    start = (torch.arange(40) % 2).float()[:, None].expand(-1, 20)
    rbm, generator = two_modes(strength), torch.Generator().manual_seed(0)
    end, states = watched_chains(rbm, start, generator, sweeps=400)
    assert (mixing(states) is None) is mixes
    assert ((end.mean(dim=1) - start[:, 0]).abs() < 0.2).all() != mixes


def test_watched_chains_are_those_of_gibbs() -> None:
    """However many sweeps: of few there are fewer records."""
    rbm, start = two_modes(0.2), torch.zeros(300, 20)
    for sweeps in (8, 9, 100, 431):
        end, _ = watched_chains(rbm, start, torch.Generator().manual_seed(3), sweeps)
        assert torch.equal(end, rbm.gibbs(start, torch.Generator().manual_seed(3), sweeps))


def test_one_statistic_that_does_not_mix_is_enough() -> None:
    apart = noise(100, 50) + torch.arange(50) % 2
    assert mixing(noise(100, 50), noise(100, 50)) is None
    assert mixing(noise(100, 50), apart) is not None


def test_several_numbers_count_by_their_variance() -> None:
    """A bit that is 1 in one chain alone, and always, is nothing beside fifty that mix."""
    bits = (noise(100, 50 * 51).view(100, 50, 51) > 0).float()
    bits[:, :, 0] = 0
    bits[:, 7, 0] = 1
    assert split_r_hat(bits[..., :1]) == float("inf")
    assert split_r_hat(bits) < 1.01
    bits[:, :25, :40] = 0  # of half the chains most bits are 0
    assert split_r_hat(bits) > 1.1


@pytest.mark.parametrize("shape", [(3, 5), (10, 1), (10,)])
def test_too_few_records_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="traces must be"):
        split_r_hat(torch.zeros(shape))
