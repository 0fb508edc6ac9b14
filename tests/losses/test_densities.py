"""The losses of densities: values by hand, gradients whose mean is known, and which rows count."""

from itertools import product

import pytest
import torch
from torch import Tensor

from kdistill.data.batch import Batch
from kdistill.losses.contrastive_divergence import ContrastiveDivergence
from kdistill.losses.likelihood import Likelihood
from kdistill.losses.loss import Loss
from kdistill.losses.mixture import Mixture
from kdistill.losses.reverse_kl import ReverseKL
from kdistill.losses.score_matching import ScoreMatching
from kdistill.losses.squared_log_ratio import SquaredLogRatio
from kdistill.signals.score import SCORE
from kdistill.signals.signal import ANSWER
from kdistill.signals.signals import Signals

LOG_Q = torch.tensor([-1.0, -2.0, -4.0], dtype=torch.float64)
LOG_P = torch.tensor([3.0, 1.0, 2.0], dtype=torch.float64)
SAMPLED = torch.tensor([False, False, True])


def terms(
    loss: Loss, log_q: Tensor = LOG_Q, log_p: Tensor = LOG_P, sampled: Tensor | None = SAMPLED
):
    batch = Batch(torch.zeros(len(log_q), 1), sampled=sampled)
    return loss(Signals({ANSWER: log_q}), Signals({ANSWER: log_p}), batch)


def test_likelihood_counts_the_rows_of_the_stream() -> None:
    assert float(terms(Likelihood())["total"]) == 1.5
    assert float(terms(Likelihood(), sampled=None)["total"]) == pytest.approx(7 / 3)


def test_contrastive_divergence_is_own_minus_given() -> None:
    assert float(terms(ContrastiveDivergence())["total"]) == -4 + 1.5


def test_a_given_constant() -> None:
    found = terms(SquaredLogRatio(2.0))
    assert float(found["total"]) == pytest.approx(0.5 * ((2 - 4) ** 2 + (2 - 3) ** 2) / 2)
    assert float(found["constant"]) == 2


def test_a_learned_constant_is_the_one_of_the_least_loss() -> None:
    """And then the loss is half the variance of the log-ratio."""
    loss = SquaredLogRatio().double()
    assert float(terms(loss)["constant"]) == pytest.approx(3.5)
    assert float(terms(loss)["total"]) == pytest.approx(0.5 * 0.25)
    for _ in range(1000):
        last = terms(loss, log_p=LOG_P + 10)
    assert float(last["constant"]) == pytest.approx(13.5, abs=1e-3)
    loss.eval()  # a measurement moves nothing
    terms(loss)
    assert torch.equal(loss.constant, last["constant"])


def test_a_constant_from_the_students_samples_is_a_lower_bound() -> None:
    """log Z - KL(q || p), here over all states, each as often as q has it."""
    log_q = torch.tensor([0.1, 0.2, 0.7], dtype=torch.float64).log()
    log_p = torch.tensor([2.0, 5.0, 1.0], dtype=torch.float64).log()  # Z = 8
    rows = torch.tensor([0] + [1] * 2 + [2] * 7)
    given = torch.tensor([0, 1, 2])
    states = torch.cat([given, rows])
    sampled = torch.arange(13) >= 3
    loss = SquaredLogRatio("student").double()
    constant = float(terms(loss, log_q[states], log_p[states], sampled)["constant"])
    kl = float((log_q.exp() * (log_q - log_p.log_softmax(0))).sum())
    assert constant == pytest.approx(torch.tensor(8.0).log().item() - kl, rel=1e-6)
    assert loss.needs_samples


def test_a_wrong_constant_is_refused() -> None:
    with pytest.raises(ValueError, match="constant must be a number, learned or student, got z"):
        SquaredLogRatio("z")


def test_the_score_function_gradient_is_that_of_the_divergence_in_the_mean() -> None:
    """Over every pair of samples, each as likely as q makes it: the exact expectation."""
    logits = torch.tensor([0.3, -0.5, 1.0], dtype=torch.float64, requires_grad=True)
    log_p = torch.tensor([0.2, 1.5, -0.3], dtype=torch.float64)
    log_q = logits.log_softmax(0)
    kl = (log_q.exp() * (log_q - log_p)).sum()
    (expected,) = torch.autograd.grad(kl, logits)
    found, value = torch.zeros(3, dtype=torch.float64), 0.0
    for pair in product(range(3), repeat=2):
        rows = torch.tensor(pair)
        log_q = logits.log_softmax(0)
        made = terms(ReverseKL(), log_q[rows], log_p[rows], torch.ones(2, dtype=torch.bool))
        chance = log_q.detach().exp()[rows].prod()
        (gradient,) = torch.autograd.grad(made["total"], logits)
        found, value = found + chance * gradient, value + float(chance * made["kl"])
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    assert value == pytest.approx(float(kl.detach()))


def test_scores_are_compared_number_by_number() -> None:
    student, teacher = (
        torch.tensor([[1.0, 2.0], [0.0, 0.0]]),
        torch.tensor([[0.0, 0.0], [3.0, 0.0]]),
    )
    said, taught = (Signals({ANSWER: torch.zeros(2), SCORE: each}) for each in (student, teacher))
    assert float(ScoreMatching()(said, taught, Batch(torch.zeros(2, 2)))["total"]) == 0.5 * 7


def test_in_a_mixture_each_term_has_its_rows() -> None:
    parts = {"given": (2.0, Likelihood()), "own": (0.5, ReverseKL())}
    mixture = Mixture({name: {"weight": w, "loss": each} for name, (w, each) in parts.items()})
    assert mixture.needs_samples
    assert not Mixture({"a": {"weight": 1, "loss": Likelihood()}}).needs_samples
    found = terms(mixture.double())
    assert float(found["given.total"]) == 1.5
    assert float(found["own.kl"]) == -4 - 2
    assert float(found["total"]) == pytest.approx(2 * 1.5 + 0.5 * float(found["own.total"]))


def test_samples_of_the_student_are_not_made_up() -> None:
    with pytest.raises(TypeError, match="no samples of the student"):
        terms(ReverseKL(), sampled=None)
