"""What holds of every density that is normalised: its sum, its samples and its score."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from kdistill.models.density_mixture import DensityMixture
from kdistill.models.made import MADE
from kdistill.models.nade import NADE
from kdistill.models.network import Network

BITS = 4


def all_inputs(count: int) -> Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=count)), dtype=torch.float64)


STATES = all_inputs(BITS)


def mixture(bits: int = BITS) -> DensityMixture:
    models = NADE(5, (bits,)), NADE(3, (bits,), order="random"), MADE([20], (bits,))
    return DensityMixture([Network.wrap(model) for model in models])


MODELS: dict[str, Callable[[int], nn.Module]] = {
    "nade": lambda bits: NADE(5, (bits,)),
    "nade, relu": lambda bits: NADE(5, (bits,), units="relu"),
    "nade, random order": lambda bits: NADE(5, (bits,), order="random"),
    "nade, relu, random order": lambda bits: NADE(5, (bits,), units="relu", order="random"),
    "made, one unit": lambda bits: MADE([1], (bits,)),
    "made": lambda bits: MADE([30], (bits,)),
    "made, two layers": lambda bits: MADE([20, 10], (bits,)),
    "made, three layers": lambda bits: MADE([10, 20, 10], (bits,)),
    "mixture": mixture,
}


def make(name: str, bits: int = BITS) -> nn.Module:
    """In float64, with weights that matter."""
    torch.manual_seed(0)
    made = MODELS[name](bits).double().requires_grad_(False)
    for parameter in made.parameters():
        parameter.normal_()
    return made


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> nn.Module:
    return make(request.param)


@pytest.mark.parametrize("bits", [1, 2, 8])
@pytest.mark.parametrize("name", MODELS)
def test_probabilities_of_all_inputs_sum_to_one(name: str, bits: int) -> None:
    total = make(name, bits)(all_inputs(bits)).logsumexp(0)
    assert total.item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "mixture"])
def test_chances_multiply_to_the_probability(name: str) -> None:
    model = make(name)
    chances = model.chances(STATES)
    assert chances.shape == STATES.shape
    product = torch.where(STATES > 0, chances, 1 - chances).prod(1)
    torch.testing.assert_close(product, model(STATES).exp(), rtol=1e-9, atol=0)


def test_samples_are_as_frequent_as_they_are_probable(model: nn.Module) -> None:
    """In each half of them: whoever takes a batch takes neighbours."""
    drawn, expected = model.sample(40_000, torch.Generator().manual_seed(1)), model(STATES).exp()
    assert drawn.shape == (40_000, BITS)
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    for half in drawn.long().split(20_000):
        counts = (half @ torch.tensor([8, 4, 2, 1])).bincount(minlength=16)
        chi_squared = ((counts - 20_000 * expected).square() / (20_000 * expected)).sum()
        assert chi_squared < 37.7  # 15 degrees of freedom: exceeded by one right sampler in 1000


def test_score_against_finite_differences(model: nn.Module) -> None:
    """At x as real numbers, which a step away from 0 and 1 are."""
    value, score = model.score(STATES)
    torch.testing.assert_close(value, model(STATES))
    step = 1e-5
    for d, along in enumerate(step * torch.eye(BITS, dtype=torch.float64)):
        slope = (model(STATES + along) - model(STATES - along)) / (2 * step)
        torch.testing.assert_close(score[:, d], slope, rtol=0, atol=1e-8)


def test_a_mixture_is_the_mean_of_its_members() -> None:
    torch.manual_seed(0)
    model = mixture().double()
    tables = torch.stack([member(STATES).exp() for member in model.members])
    torch.testing.assert_close(model(STATES).exp(), tables.mean(0))
