"""annealed_importance: exact cases, enumerated RBMs, how often it covers, and too short a run."""

import pytest
import torch

from kdistill.measures.annealing import annealed_importance, annealed_weights, base_odds
from kdistill.measures.importance import importance
from kdistill.models.rbm import RBM


def random_rbm(scale: float, seed: int = 0) -> RBM:
    """12 visible and 8 hidden units, weights and biases N(0, scale^2)."""
    rbm, generator = RBM(8, (12,)), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.normal_(std=scale, generator=generator)
    return rbm


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("given", [True, False])
def test_independent_bits_from_their_own_base_are_exact(given: bool) -> None:
    rbm = random_rbm(1.0)
    with torch.no_grad():
        rbm.weight.zero_()
        rbm.hidden_bias.zero_()
        if not given:
            rbm.visible_bias.zero_()
    base = rbm.visible_bias.detach() if given else None
    log_weights = annealed_weights(rbm, 50, 20, seeded(0), base)
    torch.testing.assert_close(log_weights, torch.full((50,), rbm.log_partition()).double())


@pytest.mark.parametrize(("scale", "temperatures"), [(0.3, 20), (1.0, 100), (2.0, 300)])
def test_it_covers_the_enumerated_log_z(scale: float, temperatures: int) -> None:
    """40 runs of 100 chains at once, since chains are independent."""
    rbm = random_rbm(scale)
    runs = annealed_weights(rbm, 4000, temperatures, seeded(1)).view(40, 100)
    estimates = [importance(run, enough=25) for run in runs]
    exact = rbm.log_partition()
    assert all(e.warning is None for e in estimates)
    assert sum(e.low <= exact <= e.high for e in estimates) >= 38
    whole = importance(runs.flatten())
    assert whole.low <= exact <= whole.high
    assert whole.high - whole.low < 0.2


def test_any_base_leads_to_the_same_log_z() -> None:
    rbm = random_rbm(1.0)
    for seed, base in enumerate((None, torch.linspace(-2, 2, 12), rbm.visible_bias.detach())):
        estimate = annealed_importance(rbm, 1000, 200, seeded(seed), base)
        assert estimate.low <= rbm.log_partition() <= estimate.high
        assert estimate.high - estimate.low < 0.3


def test_one_temperature_is_importance_sampling_from_the_base() -> None:
    """Then the weight of x is p~(x) / q(x), q uniform: 4096 p~(x), on average Z."""
    rbm = random_rbm(0.5)
    log_weights = annealed_weights(rbm, 5000, 1, seeded(0))
    states = torch.arange(2**12)[:, None] >> torch.arange(12) & 1
    possible = rbm(states.float()).detach() + 12 * torch.tensor(2.0).log()
    nearest = torch.searchsorted(possible.sort().values, log_weights.float()).clamp(max=4095)
    gaps = (possible.sort().values[nearest] - log_weights).abs()
    below = (possible.sort().values[(nearest - 1).clamp(min=0)] - log_weights).abs()
    assert torch.minimum(gaps, below).max() < 1e-5
    estimate = importance(log_weights)
    assert estimate.low <= rbm.log_partition() <= estimate.high


def test_more_temperatures_narrow_the_weights() -> None:
    rbm = random_rbm(1.0)
    spread = [float(annealed_weights(rbm, 500, k, seeded(0)).std()) for k in (5, 50, 500)]
    assert spread[0] > 2 * spread[1] > 4 * spread[2]


def test_too_short_a_run_is_told() -> None:
    rbm = random_rbm(4.0)
    estimate = annealed_importance(rbm, 100, 2, seeded(0))
    assert estimate.warning is not None
    assert estimate.high is None
    assert annealed_importance(rbm, 100, 1000, seeded(0)).warning is None


def test_float64_runs_in_float64() -> None:
    rbm = random_rbm(1.0).double()
    estimate = annealed_importance(rbm, 200, 100, seeded(0), torch.zeros(12))
    assert estimate.low <= rbm.log_partition() <= estimate.high


def test_base_odds_are_those_of_the_data_and_one_of_each() -> None:
    bits = torch.tensor([[[1.0, 0.0]], [[1.0, 1.0]], [[1.0, 0.0]]])
    expected = torch.tensor([4 / 1, 2 / 3]).log().double()
    torch.testing.assert_close(base_odds(bits), expected)


def test_a_run_of_no_temperature_is_refused() -> None:
    with pytest.raises(ValueError, match="temperatures must be >= 1, got 0"):
        annealed_weights(random_rbm(1.0), 10, 0, seeded(0))
