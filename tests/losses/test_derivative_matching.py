"""Derivative matching: the scale of each term, the binary form, and what it tells a student."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from kdistill.data.batch import Batch
from kdistill.data.randomness import sample_keys
from kdistill.engine.objective import Objective
from kdistill.losses.derivative_matching import DerivativeMatching
from kdistill.models.mlp import MLP
from kdistill.signals.ask import ask
from kdistill.signals.input_gradients import INPUT_GRADIENTS, SLOPES
from kdistill.signals.signal import ANSWER
from kdistill.signals.signals import Signals

BOTH = frozenset({ANSWER, INPUT_GRADIENTS, SLOPES})


def batch(count: int, epoch: int = 0) -> Batch:
    inputs = torch.randn(count, 5, generator=torch.Generator().manual_seed(0)).double()
    return Batch(inputs, key=sample_keys(0, epoch, torch.arange(count)))


def net(seed: int, classes: int = 3) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, classes)).double()


def total(loss: DerivativeMatching, given: Batch, student: nn.Module, teacher: nn.Module) -> Tensor:
    with torch.no_grad():
        taught = ask(teacher, given, loss.teacher_needs)
    return Objective(student, loss.double())(given, taught)["total"]


def test_scale() -> None:
    """Half the mean over classes of the squared distance, over the numbers of an input."""
    said, taught = (
        Signals({ANSWER: torch.zeros(1, 2), INPUT_GRADIENTS: gradients})
        for gradients in (torch.tensor([[[1.0, 2.0], [0.0, 0.0]]]), torch.zeros(1, 2, 2))
    )
    loss = DerivativeMatching(value_weight=0, derivative_weight=3)
    terms = loss(said, taught, Batch(torch.zeros(1, 2)))
    assert terms["derivative"] == 0.5 * 5 / 2
    assert terms["total"] == 3 / 2 * terms["derivative"]


def test_weighted_by_the_teacher_it_is_average_score_matching() -> None:
    """The thesis' binary loss, with f and y the probabilities of class 1."""
    given, student, teacher = batch(4), net(0, 2), net(1, 2)

    def scores(module: nn.Module) -> Tensor:
        x = given.inputs.clone().requires_grad_()
        p = module(x).softmax(1)[:, 1]
        rows = [torch.autograd.grad(v.log().sum(), x, retain_graph=True)[0] for v in (p, 1 - p)]
        return torch.stack(rows)

    y = teacher(given.inputs).softmax(1)[:, 1]
    apart = (scores(student) - scores(teacher)).square().sum(2)
    expected = (y / 2 * apart[0] + (1 - y) / 2 * apart[1]).mean()
    loss = DerivativeMatching(value_weight=0, derivative_weight=5, weighting="teacher")
    torch.testing.assert_close(total(loss, given, student, teacher), expected)


@pytest.mark.parametrize("exact", [True, False])
def test_gradient_by_the_weights_against_finite_differences(exact: bool) -> None:
    given, student, teacher = batch(3), net(0), net(1)
    loss = DerivativeMatching(derivative_weight=2, exact=exact).double()
    weights = dict(student.named_parameters())
    with torch.no_grad():
        taught = ask(teacher, given, loss.teacher_needs)

    def of(*values: Tensor) -> Tensor:
        changed = dict(zip([*weights], values, strict=True))
        return loss(_asked(student, changed, given, loss), taught, given)["total"]

    assert torch.autograd.gradcheck(of, tuple(weights.values()))


def _asked(
    student: nn.Module, weights: dict[str, Tensor], given: Batch, loss: DerivativeMatching
) -> Signals:
    class With(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.func.functional_call(student, weights, (x,))

    return ask(With(), given, loss.student_needs)


def test_the_directional_loss_is_the_exact_one_on_average() -> None:
    student, teacher = net(0), net(1)
    exact = total(DerivativeMatching(value_weight=0), batch(50), student, teacher).detach()
    loss = DerivativeMatching(value_weight=0, exact=False)
    drawn = torch.stack([total(loss, batch(50, e), student, teacher) for e in range(400)]).detach()
    assert float(drawn.mean()) == pytest.approx(
        float(exact), abs=4 * float(drawn.std()) / len(drawn) ** 0.5
    )


@pytest.mark.parametrize("exact", [True, False])
def test_derivatives_alone_tell_the_student_the_values_too(exact: bool) -> None:
    """Constants that differ by class could not normalise at every input."""
    given, teacher = batch(200), net(1)
    torch.manual_seed(2)
    student = MLP([32], (5,), 3).double()
    loss = DerivativeMatching(value_weight=0, derivative_weight=5, exact=exact).double()
    objective = Objective(student, loss)
    optimizer = torch.optim.Adam(objective.parameters(), 1e-2)
    apart = []
    for epoch in range(300):
        here = batch(200, epoch)
        with torch.no_grad():
            taught = ask(teacher, here, loss.teacher_needs)
        optimizer.zero_grad()
        terms = objective(here, taught)
        terms["total"].backward()
        optimizer.step()
        if epoch % 100 == 99 or epoch == 0:
            apart.append(float(terms["value"].detach()))
    assert all(later < earlier for earlier, later in pairwise(apart))
    agree = student(given.inputs).argmax(1) == teacher(given.inputs).argmax(1)
    assert float(agree.double().mean()) > 0.93
    assert apart[-1] < 0.1 * apart[0]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"value_weight": -1}, "value_weight must be >= 0"),
        ({"derivative_weight": -1}, "derivative_weight must be >= 0"),
        ({"weighting": "class"}, "weighting must be uniform or teacher"),
    ],
)
def test_values_out_of_range_are_refused(keys: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        DerivativeMatching(**keys)  # type: ignore[arg-type]
