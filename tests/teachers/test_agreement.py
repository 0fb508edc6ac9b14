"""What a generalist and specialists agree on: closed forms, laws, and two solvers that agree."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from kdistill.teachers.agreement import SOLVERS, Evidence, by_em, by_gradient

Solver = Callable[[Evidence], Tensor]


def drawn(
    batch: int, classes: int, specialists: int, size: int, sharpness: float, seed: int = 0
) -> Evidence:
    """Random distributions of random specialists of `size` classes, each active in 7 of 10."""
    generator = torch.Generator().manual_seed(seed)

    def said(width: int) -> Tensor:
        logits = torch.randn(batch, width, generator=generator, dtype=torch.float64)
        return (sharpness * logits).softmax(1)

    general, outside = said(classes), torch.ones(specialists, classes, dtype=torch.float64)
    active = (torch.rand(batch, specialists, generator=generator) < 0.7).double()
    named, dustbin = general.clone(), torch.zeros(batch, specialists, dtype=torch.float64)
    for place in range(specialists):
        own = torch.randperm(classes, generator=generator)[:size]
        outside[place, own] = 0
        spoken = said(size + 1) * active[:, place, None]
        named[:, own] += spoken[:, :-1]
        dustbin[:, place] = spoken[:, -1]
    return Evidence(general, named, dustbin, outside, 1 + active.sum(1, keepdim=True))


CASES = [(64, 10, 3, 4, 2.0), (64, 10, 3, 4, 4.0), (32, 60, 4, 15, 3.0), (32, 60, 10, 12, 3.0)]


@pytest.mark.parametrize("case", CASES)
def test_the_two_solvers_agree(case: tuple[int, int, int, int, float]) -> None:
    evidence = drawn(*case)
    difference = (by_em(evidence) - by_gradient(evidence)).abs().max()
    assert difference < 1e-5
    assert difference < 1e-7  # as far as float64 and the tolerance let them


@pytest.mark.parametrize("solver", SOLVERS.values())
def test_without_an_active_specialist_the_generalist_answers(solver: Solver) -> None:
    evidence = drawn(16, 10, 3, 4, 3.0)
    alone = Evidence(
        evidence.general,
        evidence.general,
        torch.zeros_like(evidence.dustbin),
        evidence.outside,
        torch.ones_like(evidence.voices),
    )
    torch.testing.assert_close(solver(alone), evidence.general, rtol=1e-12, atol=0)


@pytest.mark.parametrize("solver", SOLVERS.values())
def test_full_distributions_give_their_arithmetic_mean(solver: Solver) -> None:
    said = torch.randn(4, 16, 10, dtype=torch.float64).softmax(2)
    nobody = torch.zeros(16, 3, dtype=torch.float64)
    outside, voices = torch.zeros(3, 10, dtype=torch.float64), torch.full((16, 1), 4.0).double()
    evidence = Evidence(said[0], said.sum(0), nobody, outside, voices)
    torch.testing.assert_close(solver(evidence), said.mean(0), rtol=1e-9, atol=0)


@pytest.mark.parametrize("solver", SOLVERS.values())
def test_one_specialist_has_a_closed_form(solver: Solver) -> None:
    """Its own classes: the mean; the others keep the generalist's proportions, and share the mean
    of what both leave to them."""
    general = torch.tensor([[0.5, 0.2, 0.2, 0.1]], dtype=torch.float64)
    special, dustbin = torch.tensor([[0.1, 0.3]], dtype=torch.float64), 0.6
    named = general.clone()
    named[:, :2] += special
    outside = torch.tensor([[0.0, 0, 1, 1]], dtype=torch.float64)
    left = torch.full((1, 1), dustbin, dtype=torch.float64)
    q = solver(Evidence(general, named, left, outside, torch.full((1, 1), 2.0).double()))
    share = (0.3 + dustbin) / 2
    expected = torch.tensor([[0.3, 0.25, share * 2 / 3, share / 3]], dtype=torch.float64)
    torch.testing.assert_close(q, expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("solver", SOLVERS.values())
def test_it_is_the_minimum(solver: Solver) -> None:
    """No distribution nearby has less divergence; the sum of probabilities is 1."""
    evidence = drawn(32, 8, 3, 3, 2.0)
    q = solver(evidence)
    torch.testing.assert_close(q.sum(1), torch.ones(32, dtype=torch.float64))
    least, generator = evidence.divergence(q), torch.Generator().manual_seed(1)
    for scale in (1e-3, 1e-2, 0.1, 1.0):
        noise = scale * torch.randn(q.shape, generator=generator, dtype=torch.float64)
        assert (evidence.divergence((q.log() + noise).softmax(1)) > least).all()


def test_the_divergence_is_that_of_the_paper() -> None:
    """KL(p_g || q) + sum KL(p_m || q_m), each with q's mass outside in the dustbin, by autograd."""
    evidence = drawn(4, 6, 2, 2, 1.0)
    z = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    q = z.softmax(1)
    evidence.divergence(q).sum().backward()
    gradient = evidence.voices * (q - evidence.mean(q))
    torch.testing.assert_close(z.grad, gradient.detach())


def test_expectation_maximisation_never_raises_the_divergence() -> None:
    evidence = drawn(64, 10, 3, 4, 3.0)
    q, before = evidence.general, evidence.divergence(evidence.general)
    for _ in range(50):
        q = evidence.mean(q)
        after = evidence.divergence(q)
        assert (after <= before + 1e-12).all()
        before = after
    assert (evidence.divergence(by_em(evidence)) <= before + 1e-12).all()


@pytest.mark.parametrize("solver", SOLVERS.values())
def test_an_answer_does_not_depend_on_the_other_inputs(solver: Solver) -> None:
    evidence = drawn(32, 10, 3, 4, 3.0)
    every_third = torch.arange(32) % 3 == 0
    some = solver(evidence.of(every_third))
    torch.testing.assert_close(some, solver(evidence)[every_third], rtol=1e-9, atol=0)
