"""importance: known answers, how often the interval covers, and weights that degenerate."""

from math import exp, log

import pytest
import torch
from torch import Tensor

from kdistill.measures.importance import importance


def drawn(variance: float, repeats: int, count: int) -> Tensor:
    """Normal log weights [repeats, count] whose exponentials have the mean 1: log Z is 0."""
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(repeats, count, generator=generator, dtype=torch.float64)
    return normal * variance**0.5 - variance / 2


def test_two_weights_by_hand() -> None:
    # mean 2, deviation sqrt(2), standard error 1: 3 * 1 / 2 to either side
    estimate = importance(torch.tensor([1.0, 3.0]).double().log(), enough=0)
    assert estimate.value == pytest.approx(log(2))
    assert (estimate.low, estimate.high) == pytest.approx((log(2) - 1.5, log(2) + 1.5))
    assert estimate.effective_samples == pytest.approx(16 / 10)


def test_equal_weights_are_exact() -> None:
    estimate = importance(torch.full((200,), 451.28))
    assert estimate.low == estimate.value == estimate.high == pytest.approx(451.28)
    assert estimate.effective_samples == pytest.approx(200)
    assert estimate.warning is None


def test_a_constant_moves_everything_by_itself() -> None:
    log_weights = drawn(1.0, 1, 1000)[0]
    near, far = importance(log_weights), importance(log_weights + 1e4)
    assert far.value - near.value == pytest.approx(1e4)
    assert (far.low, far.high) == pytest.approx((near.low + 1e4, near.high + 1e4))
    assert far.effective_samples == pytest.approx(near.effective_samples)


def test_the_interval_covers_as_3_sigma_should() -> None:
    estimates = [importance(row) for row in drawn(1.0, 1000, 1000)]
    covered = sum(e.low <= 0 <= e.high for e in estimates)
    assert covered >= 990


def test_the_interval_is_no_wider_than_the_estimates_scatter() -> None:
    estimates = [importance(row) for row in drawn(0.5, 1000, 1000)]
    scatter = float(torch.tensor([e.value for e in estimates]).std())
    width = sum(e.high - e.low for e in estimates) / len(estimates)
    assert width / 6 == pytest.approx(scatter, rel=0.1)


def test_degenerate_weights_have_no_upper_bound_and_are_told() -> None:
    """The variance of these log weights is 36: the mean weight of a thousand is far too small."""
    estimates = [importance(row) for row in drawn(36.0, 300, 1000)]
    assert all(e.warning and "effective sample size" in e.warning for e in estimates)
    assert all(e.high is None for e in estimates)
    assert sum(e.value < -1 for e in estimates) > 250
    assert sum(e.low <= 0 for e in estimates) == 300


def test_the_lower_bound_of_degenerate_weights_is_markovs() -> None:
    """Of weights that are either 0 or huge no other bound holds: here the rare one is drawn."""
    chance = 0.003
    log_weights = torch.full((10,), -50.0)
    log_weights[0] = log(10 / (10 * chance))  # the mean weight is then 1 / 0.03, Z is about 1
    estimate = importance(log_weights)
    assert estimate.value > 3
    assert estimate.low == pytest.approx(estimate.value - 5.915, abs=1e-3)
    assert exp(estimate.low) < 1


def test_weights_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="two or more, got 1"):
        importance(torch.zeros(1))
    for wrong in (float("nan"), float("inf"), -float("inf")):
        with pytest.raises(ValueError, match="must be finite"):
            importance(torch.tensor([0.0, wrong]))
