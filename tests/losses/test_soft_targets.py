"""Soft targets: the formula of the paper, its gradient and the room for unlabelled data."""

import pytest
import torch

from kdistill.data.batch import Batch
from kdistill.losses.soft_targets import SoftTargets
from kdistill.signals.signal import ANSWER
from kdistill.signals.signals import Signals


def logits(seed: int) -> torch.Tensor:
    return 3 * torch.randn(5, 10, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 20.0])
def test_soft_gradient_is_temperature_times_q_minus_p(temperature: float) -> None:
    z, v = logits(0).requires_grad_(), logits(1)
    loss = SoftTargets(temperature, hard_weight=0).double()
    total = loss(Signals({ANSWER: z}), Signals({ANSWER: v}), Batch(torch.zeros(5, 1)))["total"]
    (gradient,) = torch.autograd.grad(total, z)
    q, p = (z / temperature).softmax(1), (v / temperature).softmax(1)
    torch.testing.assert_close(gradient, temperature * (q - p) / 5)


def test_total_is_t_squared_kl_plus_weighted_cross_entropy() -> None:
    z, v, labels = logits(0), logits(1), torch.tensor([0, 1, 2, 3, 4])
    terms = SoftTargets(2.0, 0.3).double()(
        Signals({ANSWER: z}), Signals({ANSWER: v}), Batch(z, labels)
    )
    p, q = (v / 2).softmax(1), (z / 2).softmax(1)
    soft = 4 * (p * (p.log() - q.log())).sum(1).mean()
    hard = -z.softmax(1).log()[torch.arange(5), labels].mean()
    torch.testing.assert_close(terms["soft"], soft)
    torch.testing.assert_close(terms["hard"], hard)
    torch.testing.assert_close(terms["total"], soft + torch.tensor(0.3) * hard)


def test_a_class_the_teacher_excludes_adds_nothing() -> None:
    z, v = logits(0), logits(1)
    excluded = v.clone()
    excluded[:, 9] = -torch.inf
    total = SoftTargets(1.0, 0).double()(
        Signals({ANSWER: z}), Signals({ANSWER: excluded}), Batch(z)
    )["total"]
    p, q = excluded.softmax(1)[:, :9], z.softmax(1)[:, :9]
    torch.testing.assert_close(total, (p * (p / q).log()).sum(1).mean())


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"temperature": 0}, "temperature must be > 0, got 0"),
        ({"temperature": float("nan")}, "temperature must be > 0, got nan"),
        ({"hard_weight": -0.1}, "hard_weight must be >= 0, got -0.1"),
    ],
)
def test_values_out_of_range_are_refused(keys: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SoftTargets(**keys)
