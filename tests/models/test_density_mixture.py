"""DensityMixture: the mean of its members' probabilities, its samples and its score."""

import itertools

import torch
from torch import Tensor

from kdistill.models.density_mixture import DensityMixture
from kdistill.models.made import MADE
from kdistill.models.nade import NADE
from kdistill.models.network import Network

BITS = 4
STATES = torch.tensor(list(itertools.product((0.0, 1.0), repeat=BITS)), dtype=torch.float64)


def make() -> tuple[DensityMixture, list[Tensor]]:
    """A mixture of three, and the table of each [2 ** BITS]."""
    torch.manual_seed(0)
    models = [NADE(5, (BITS,)), NADE(3, (BITS,), order="random"), MADE([20], (BITS,))]
    members = [Network.wrap(model.double()) for model in models]
    for member in members:
        for parameter in member.parameters():
            parameter.data.normal_(0, 2)
    return DensityMixture(members), [member(STATES).detach().exp() for member in members]


def test_it_is_the_mean_of_the_members_probabilities() -> None:
    model, tables = make()
    torch.testing.assert_close(model(STATES).exp(), sum(tables) / 3)
    torch.testing.assert_close(model(STATES).exp().sum().item(), 1.0)


def test_the_score_is_the_derivative_of_the_log_of_the_mean() -> None:
    """Each member's log density at real x, continued by its own score: see NADE.score."""
    model, tables = make()
    value, score = model.score(STATES)
    shares = torch.stack(tables) / sum(tables)
    expected = sum(
        share[:, None] * member.score(STATES)[1]
        for share, member in zip(shares, model.members, strict=True)
    )
    torch.testing.assert_close(value, model(STATES))
    torch.testing.assert_close(score, expected)


def test_samples_are_as_frequent_as_they_are_probable_in_any_part_of_them() -> None:
    model, _ = make()
    drawn = model.sample(40000, torch.Generator().manual_seed(0))
    assert drawn.shape == (40000, BITS)
    powers = 2 ** torch.arange(BITS - 1, -1, -1)
    expected = model(STATES).exp().detach()
    for part in drawn.split(20000):
        counts = (part.long() @ powers).bincount(minlength=2**BITS)
        deviation = (expected * (1 - expected) / 20000).sqrt()
        assert bool((counts / 20000 - expected).abs().le(4.5 * deviation).all())
