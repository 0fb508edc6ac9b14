"""Noise on logits: who is chosen, how far they move, and what it does to the loss on average."""

import pytest
import torch
from torch import Tensor

from kdistill.data.batch import Batch
from kdistill.data.randomness import sample_keys
from kdistill.losses.logits import Logits
from kdistill.losses.noisy_logits import NoisyLogits
from kdistill.signals.signal import ANSWER
from kdistill.signals.signals import Signals

MANY = 20_000
INDEX = torch.arange(MANY)
Z = torch.randn(MANY, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
V = 3 * torch.randn(MANY, 10, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def batch(epoch: int = 0, rows: Tensor = INDEX) -> Batch:
    return Batch(torch.zeros(len(rows), 1), key=sample_keys(0, epoch, rows))


def total(loss: torch.nn.Module, epoch: int = 0) -> float:
    return float(loss.double()(Signals({ANSWER: Z}), Signals({ANSWER: V}), batch(epoch))["total"])


def test_the_fraction_chosen_is_alpha_and_the_rest_stays_to_the_last_bit() -> None:
    noisy = NoisyLogits(sigma=0.6, alpha=0.15).noisy(V, batch())
    same = (noisy == V).all(dim=1)
    assert float((~same).double().mean()) == pytest.approx(0.15, abs=0.01)  # 4 deviations
    assert bool((noisy[~same] != V[~same]).all())


def test_the_deviation_is_sigma_times_the_logit_and_independent_for_each() -> None:
    xi = (NoisyLogits(sigma=0.4, alpha=1).noisy(V, batch()) / V - 1).float()
    assert float(xi.mean()) == pytest.approx(0, abs=0.005)
    assert float(xi.std()) == pytest.approx(0.4, rel=0.01)
    apart = torch.corrcoef(xi.T) - torch.eye(10)
    assert apart.abs().max() < 0.03


@pytest.mark.parametrize("side", ["teacher", "student"])
def test_the_loss_grows_by_alpha_sigma_squared_times_the_square_of_the_logits(side: str) -> None:
    noisy, clean = NoisyLogits(sigma=0.5, alpha=0.3, side=side), total(Logits())
    perturbed = V if side == "teacher" else Z
    extra = 0.3 * 0.5**2 * float(perturbed.square().sum(dim=1).mean()) / 2
    mean = sum(total(noisy, epoch) for epoch in range(20)) / 20
    assert mean == pytest.approx(clean + extra, rel=0.002)


def test_without_noise_it_is_logit_regression() -> None:
    for quiet in (NoisyLogits(sigma=0, alpha=1), NoisyLogits(sigma=1, alpha=0)):
        assert total(quiet) == total(Logits())


def test_it_is_drawn_anew_each_epoch_and_does_not_depend_on_the_batch() -> None:
    loss, few = NoisyLogits(), torch.tensor([5, 17, 3])
    assert torch.equal(loss.noisy(V, batch())[few], loss.noisy(V[few], batch(rows=few)))
    assert not torch.equal(loss.noisy(V, batch(0)), loss.noisy(V, batch(1)))


def test_a_minibatch_may_share_its_noise_and_have_a_sigma_of_its_own() -> None:
    shared = NoisyLogits(sigma=0.4, alpha=1, draw="minibatch").noisy(V, batch()) / V - 1
    assert torch.allclose(shared, shared[:1].expand_as(shared))
    drawn = NoisyLogits(sigma=1, alpha=1, random_sigma=True)
    found = torch.stack([(drawn.noisy(V, batch(e)) / V - 1).std() for e in range(200)])
    assert 0.01 <= found.min() < 0.06
    assert 0.94 < found.max() <= 1.02
    assert float(found.mean()) == pytest.approx(0.505, abs=0.08)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"sigma": -1}, "sigma must be >= 0"),
        ({"alpha": 1.5}, "alpha must be <= 1"),
        ({"side": "both"}, "side must be teacher or student"),
        ({"draw": "epoch"}, "draw must be sample or minibatch"),
        ({"sigma": 0.01, "random_sigma": True}, "sigma must be > 0.01"),
    ],
)
def test_values_out_of_range_are_refused(keys: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        NoisyLogits(**keys)  # type: ignore[arg-type]
