"""RBM: its density and score, sampling against exact probabilities, log Z, and CD's gradient."""

import itertools

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor

from kdistill.data.batch import Batch
from kdistill.losses.contrastive_divergence import ContrastiveDivergence
from kdistill.models.rbm import RBM
from kdistill.signals.signal import ANSWER
from kdistill.signals.signals import Signals


def random_rbm(visible: int, hidden: int, scale: float = 1.0, seed: int = 0) -> RBM:
    """In float64, its weights and biases N(0, scale^2)."""
    rbm = RBM(hidden, (visible,)).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.normal_(std=scale, generator=generator)
    return rbm


def all_states(units: int) -> Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=units)), dtype=torch.float64)


@torch.no_grad()
def energy_sum(rbm: RBM, visible: Tensor) -> Tensor:
    """log sum_h exp(a.x + b.h + x W h), one state of h after another."""
    hidden = all_states(len(rbm.hidden_bias))
    joint = (visible @ rbm.visible_bias)[:, None] + hidden @ rbm.hidden_bias
    return (joint + visible @ rbm.weight @ hidden.T).logsumexp(dim=1)


def test_log_density_sums_the_hidden_units_out() -> None:
    rbm, states = random_rbm(4, 3), all_states(4)
    torch.testing.assert_close(rbm(states).detach(), energy_sum(rbm, states))


def test_pictures_are_flattened() -> None:
    rbm = RBM(3, (1, 2, 2))
    inputs = torch.randint(0, 2, (5, 1, 2, 2)).float()
    torch.testing.assert_close(rbm(inputs), rbm(inputs.flatten(1)))
    assert rbm.score(inputs)[1].shape == inputs.shape
    assert rbm.gibbs(inputs, torch.Generator()).shape == inputs.shape


def test_log_density_of_drives_beyond_exp_is_exact() -> None:
    rbm = RBM(2, (1,)).double()
    with torch.no_grad():
        rbm.weight.copy_(torch.tensor([[1000.0, 30.0]]))
    log_density = rbm(torch.ones(1, 1, dtype=torch.float64))
    assert log_density.item() == pytest.approx(1030 + 9.357622968839299e-14, abs=1e-12)


def test_autocast_takes_no_digits() -> None:
    rbm, states = random_rbm(8, 5, scale=3).float(), all_states(8).float()
    with torch.autocast("cpu", torch.bfloat16):
        inside = rbm(states)
    assert torch.equal(inside, rbm(states))


def test_score_is_the_derivative_of_the_log_density() -> None:
    rbm = random_rbm(6, 4)
    inputs = torch.rand(3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    value, slope = rbm.score(inputs)
    torch.testing.assert_close(value, rbm(inputs))
    for place in range(6):
        step = 1e-6 * torch.eye(6, dtype=torch.float64)[place]
        numeric = (rbm(inputs + step) - rbm(inputs - step)) / 2e-6
        torch.testing.assert_close(slope[:, place], numeric, rtol=1e-7, atol=1e-8)


def test_score_can_be_differentiated_by_inputs_and_weights() -> None:
    rbm = random_rbm(3, 2)
    inputs = torch.rand(2, 3, dtype=torch.float64, requires_grad=True)

    def slope(inputs: Tensor, *parameters: Tensor) -> Tensor:
        names = dict(zip(("weight", "visible_bias", "hidden_bias"), parameters, strict=True))
        return torch.func.functional_call(
            _Score(rbm), {f"rbm.{n}": v for n, v in names.items()}, inputs
        )

    assert torch.autograd.gradcheck(slope, (inputs, *rbm.parameters()))


class _Score(torch.nn.Module):
    def __init__(self, rbm: RBM) -> None:
        super().__init__()
        self.rbm = rbm

    def forward(self, inputs: Tensor) -> Tensor:
        return self.rbm.score(inputs)[1]


@pytest.mark.parametrize(("visible", "hidden"), [(6, 3), (3, 6), (4, 4), (1, 1)])
def test_log_partition_is_the_sum_over_both_sides(visible: int, hidden: int) -> None:
    rbm = random_rbm(visible, hidden, scale=3)
    exact = energy_sum(rbm, all_states(visible)).logsumexp(dim=0)
    assert rbm.log_partition() == pytest.approx(float(exact), rel=1e-13)


def test_log_partition_over_several_blocks_and_from_float32() -> None:
    rbm = random_rbm(14, 14, scale=2)
    exact = rbm(all_states(14)).logsumexp(dim=0).item()
    assert rbm.log_partition() == pytest.approx(exact, rel=1e-13)
    assert rbm.float().log_partition() == pytest.approx(exact, rel=1e-6)


def test_log_partition_without_weights_is_that_of_independent_bits() -> None:
    rbm = RBM(12, (784,)).double()
    with torch.no_grad():
        rbm.weight.zero_()
        rbm.visible_bias.fill_(1.5)
    exact = 12 * torch.tensor(2.0).double().log() + 784 * torch.tensor(1.5).double().exp().log1p()
    assert rbm.log_partition() == pytest.approx(float(exact), rel=1e-13)


def test_log_partition_of_too_many_units_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 20 units .* 30 visible and 21 hidden"):
        RBM(21, (30,)).log_partition()
    with pytest.raises(ValueError, match="hidden must be >= 1, got 0"):
        RBM(0, (4,))


def p_value(rbm: RBM, samples: Tensor) -> float:
    """Of a chi-square test of samples [n, visible] against the exact probabilities."""
    states = all_states(samples.shape[1])
    expected = (rbm(states) - rbm.log_partition()).exp().detach() * len(samples)
    places = 2 ** torch.arange(samples.shape[1] - 1, -1, -1)
    observed = (samples.long() @ places).bincount(minlength=len(states))
    return float(chisquare(observed, expected, sum_check=False).pvalue)


def test_gibbs_reaches_the_distribution_and_stays_there() -> None:
    rbm, generator = random_rbm(4, 3), torch.Generator().manual_seed(0)
    chains = torch.zeros(20_000, 4, dtype=torch.float64)
    assert p_value(rbm, rbm.gibbs(chains, generator)) < 1e-9  # one sweep is not enough
    chains = rbm.gibbs(chains, generator, sweeps=30)
    assert p_value(rbm, chains) > 0.01
    assert p_value(rbm, rbm.gibbs(chains, generator)) > 0.01


def test_gibbs_is_repeatable_and_leaves_its_inputs() -> None:
    rbm = random_rbm(5, 3)
    start = torch.zeros(8, 5, dtype=torch.float64)
    runs = [rbm.gibbs(start, torch.Generator().manual_seed(7), sweeps=3) for _ in range(2)]
    assert torch.equal(*runs)
    assert not start.any()
    generator = torch.Generator().manual_seed(7)
    state = start
    for _ in range(3):
        state = rbm.gibbs(state, generator)
    assert torch.equal(state, runs[0])
    assert torch.equal(rbm.gibbs(state, generator, sweeps=0), state)


def contrastive(rbm: RBM, data: Tensor, negative: Tensor) -> Tensor:
    """The loss that trains it, with `negative` as its own samples."""
    inputs = torch.cat([data, negative])
    batch = Batch(inputs, sampled=torch.arange(len(inputs)) >= len(data))
    return ContrastiveDivergence()(Signals({ANSWER: rbm(inputs)}), None, batch)["total"]


def test_contrastive_gradient_is_the_difference_of_correlations() -> None:
    rbm, generator = random_rbm(6, 4), torch.Generator().manual_seed(1)
    data, negative = (
        torch.randint(0, 2, (count, 6), generator=generator).double() for count in (5, 9)
    )
    contrastive(rbm, data, negative).backward()

    def means(inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = (inputs @ rbm.weight + rbm.hidden_bias).sigmoid()
        return inputs.T @ hidden / len(inputs), inputs.mean(dim=0), hidden.mean(dim=0)

    for parameter, of_data, of_negative in zip(
        rbm.parameters(), means(data), means(negative), strict=True
    ):
        torch.testing.assert_close(parameter.grad, of_negative - of_data)


def test_contrastive_gradient_with_exact_negatives_is_that_of_the_likelihood() -> None:
    rbm, states = random_rbm(4, 3), all_states(4)
    data = states[[3, 5, 12]]
    likelihood = (rbm(data) - rbm(states).logsumexp(dim=0)).mean()
    exact = torch.autograd.grad(-likelihood, rbm.weight)[0]
    chances = (rbm(states) - rbm.log_partition()).exp().detach()
    count = 200_000
    drawn = states[
        torch.multinomial(chances, count, True, generator=torch.Generator().manual_seed(0))
    ]
    sampled = torch.autograd.grad(contrastive(rbm, data, drawn), rbm.weight)[0]
    torch.testing.assert_close(sampled, exact, atol=0.01, rtol=0)
