"""bridge: its fixed point, known answers, how often the interval covers, and no overlap."""

from math import sqrt

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from kdistill.measures.bridge import bridge

LOG_Z = 451.28


def ratios(q: Normal, p: Normal, x: Tensor) -> Tensor:
    """log p~ - log q with log p~ = log p + LOG_Z."""
    return p.log_prob(x) + LOG_Z - q.log_prob(x)


def drawn(q: Normal, p: Normal, student: int, teacher: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(student + teacher, generator=generator, dtype=torch.float64)
    return (
        ratios(q, p, q.loc + q.scale * noise[:student]),
        ratios(q, p, p.loc + p.scale * noise[student:]),
    )


def normal(mean: float, deviation: float) -> Normal:
    return Normal(torch.tensor(mean).double(), torch.tensor(deviation).double())


@pytest.mark.parametrize("sizes", [(400, 400), (300, 900)])
def test_the_iteration_of_meng_and_wong_ends_there(sizes: tuple[int, int]) -> None:
    student, teacher = drawn(normal(0, 1), normal(1, 0.7), *sizes, seed=0)
    log_z, shares = 400.0, (torch.tensor(sizes).double() / sum(sizes)).log()
    for _ in range(1000):
        below = torch.logaddexp(shares[1] + student, shares[0] + torch.tensor(log_z))
        upper = (student - below).logsumexp(dim=0) - torch.tensor(sizes[0]).log()
        below = torch.logaddexp(shares[1] + teacher, shares[0] + torch.tensor(log_z))
        log_z = float(upper - (-below).logsumexp(dim=0) + torch.tensor(sizes[1]).log())
    assert bridge(student, teacher).value == pytest.approx(log_z, abs=1e-6)


def test_a_student_equal_to_the_teacher_is_exact() -> None:
    estimate = bridge(torch.full((300,), LOG_Z), torch.full((200,), LOG_Z))
    assert estimate.value == pytest.approx(LOG_Z, abs=1e-4)
    assert estimate.high - estimate.low < 1e-3
    assert estimate.effective_samples == pytest.approx(200)
    assert estimate.warning is None


def test_a_constant_moves_everything_by_itself() -> None:
    student, teacher = drawn(normal(0, 1), normal(1, 1), 500, 500, seed=0)
    near, far = bridge(student, teacher), bridge(student + 1e4, teacher + 1e4)
    assert far.value - near.value == pytest.approx(1e4, abs=1e-6)
    assert far.high - far.low == pytest.approx(near.high - near.low, rel=1e-6)


@pytest.mark.parametrize("sizes", [(1000, 1000), (500, 2000)])
def test_the_interval_covers_and_is_as_wide_as_the_estimates_scatter(sizes) -> None:
    q, p = normal(0, 1), normal(1.5, 0.8)
    estimates = [bridge(*drawn(q, p, *sizes, seed=seed)) for seed in range(300)]
    assert sum(e.low <= LOG_Z <= e.high for e in estimates) >= 296
    scatter = float(torch.tensor([e.value for e in estimates]).double().std())
    width = sum(e.high - e.low for e in estimates) / len(estimates)
    assert width / 6 == pytest.approx(scatter, rel=0.1)


@pytest.mark.parametrize("apart", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("size", [150, 1000])
def test_of_a_student_next_to_the_teacher_it_covers_too(apart: float, size: int) -> None:
    """The overlap is all but 1, and what it lacks is what the interval is as wide as."""
    q, p = normal(0, 1), normal(apart, 1)
    estimates = [bridge(*drawn(q, p, size, size, seed=seed)) for seed in range(200)]
    assert sum(e.low <= LOG_Z <= e.high for e in estimates) >= 196
    assert all(e.high - e.low > apart / sqrt(size) for e in estimates)


def test_it_needs_less_overlap_than_importance_sampling() -> None:
    """q is much narrower than p: weights from q alone have no variance."""
    student, teacher = drawn(normal(0, 0.4), normal(0, 2), 5000, 5000, seed=0)
    estimate = bridge(student, teacher)
    assert estimate.warning is None
    assert estimate.low < LOG_Z < estimate.high
    assert estimate.high - estimate.low < 0.4


def test_without_overlap_there_is_no_interval() -> None:
    """Each set is unanimous, and any value between them would do."""
    estimate = bridge(torch.full((1000,), -100.0), torch.full((1000,), 100.0))
    assert estimate.warning is not None
    assert "overlap" in estimate.warning
    assert estimate.low is None
    assert estimate.high is None
    far = bridge(torch.full((1000,), -1e4), torch.full((1000,), 1e4))  # beyond what exp can tell
    assert far.effective_samples == 0
    assert far.high is None


def test_ratios_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="both are needed, got 0 and 3"):
        bridge(torch.zeros(0), torch.zeros(3))
    with pytest.raises(ValueError, match="must be finite"):
        bridge(torch.zeros(3), torch.tensor([0.0, float("nan")]))
