"""A generalist and its specialists answer as one network."""

import math

import pytest
import torch
from torch import Tensor, nn

from kdistill.data.specialty import Specialty
from kdistill.teachers.specialised import Specialised, Voice, correction_of


class Table(nn.Module):
    """Inputs [batch, 1] are numbers of rows of logits; counts what it is asked."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits, self.asked = logits, 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.asked += len(inputs)
        return self.logits[inputs[:, 0].long()]


def rows(n: int, width: int, seed: int) -> Table:
    generator = torch.Generator().manual_seed(seed)
    return Table(2 * torch.randn(n, width, generator=generator))


INPUTS = torch.arange(40.0)[:, None]


def made(
    *classes: tuple[int, ...], active: int = 1, solver: str = "em", **kind: bool
) -> Specialised:
    """A generalist of 6 classes and a specialist for each of `classes`, all at random."""
    voices = []
    for place, each in enumerate(classes, start=1):
        specialty = Specialty(each, **kind)
        width = len(each) + 1 if specialty.dustbin else 6
        voices.append(Voice(rows(40, width, place), specialty, 6, 0.5))
    return Specialised(rows(40, 6, 0), voices, active, solver)


def test_only_specialists_of_the_most_probable_class_are_asked() -> None:
    network = made((0, 1), (2, 3))
    answer = network(INPUTS).softmax(1)
    general = network.generalist.logits
    top = general.argmax(1)
    asked = [int(torch.isin(top, torch.tensor(each)).sum()) for each in ((0, 1), (2, 3))]
    assert [voice.network.asked for voice in network.specialists] == asked
    nobody = torch.isin(top, torch.tensor([4, 5]))
    assert 0 < int(nobody.sum()) < 40
    torch.testing.assert_close(answer[nobody], general[nobody].softmax(1))
    assert not torch.isclose(answer[~nobody], general[~nobody].softmax(1)).all(1).any()


def test_more_active_classes_ask_more_specialists() -> None:
    network = made((0, 1), (2, 3), active=6)
    network(INPUTS)
    assert [voice.network.asked for voice in network.specialists] == [40, 40]


def test_one_specialist_is_averaged_on_its_classes_and_the_rest_keep_their_proportions() -> None:
    network = made((0, 2), active=6)
    said = network.specialists[0].network.logits.clone()
    said[:, -1] += 0.5  # the correction of its dustbin
    special, general = said.softmax(1), network.generalist.logits.softmax(1)
    answer = network(INPUTS).exp()
    torch.testing.assert_close(answer[:, [0, 2]], (general[:, [0, 2]] + special[:, :2]) / 2)
    rest = [1, 3, 4, 5]
    proportions = [each[:, rest] / each[:, rest].sum(1, keepdim=True) for each in (answer, general)]
    torch.testing.assert_close(*proportions)
    torch.testing.assert_close(answer.sum(1), torch.ones(40))


def test_full_softmaxes_are_averaged() -> None:
    network = made((0, 2), (2, 3), active=6, dustbin=False)
    said = [voice.network.logits.clone() for voice in network.specialists]
    said[0][:, [1, 3, 4, 5]] += 0.5
    said[1][:, [0, 1, 4, 5]] += 0.5
    mean = torch.stack([each.softmax(1) for each in (*said, network.generalist.logits)]).mean(0)
    torch.testing.assert_close(network(INPUTS).exp(), mean)


def test_the_solvers_answer_alike() -> None:
    answers = [
        made((0, 1, 2), (1, 2, 3), (2, 5), active=2, solver=solver)(INPUTS).exp()
        for solver in ("em", "gradient")
    ]
    torch.testing.assert_close(*answers, rtol=0, atol=1e-6)


def test_without_the_correction_dustbins_say_what_they_learned() -> None:
    network = made((0, 2), active=6)
    plain = network.uncorrected()
    inputs = INPUTS[:5]
    _, left = plain.specialists[0].says(inputs)
    said = network.specialists[0].network.logits[:5].softmax(1)[:, -1]
    torch.testing.assert_close(left.float(), said)
    assert (network.specialists[0].says(inputs)[1] > left).all()


def test_an_answer_stays_finite_where_a_probability_is_0() -> None:
    network = made((0, 1), (1, 2), active=3)
    network.generalist.logits[:] = torch.tensor([2e3, 0, -2e3, -4e3, 0, 0])
    answer = network(INPUTS)
    assert answer.isfinite().all()
    assert answer.dtype == torch.float32


def test_reduced_precision_ends_with_the_networks() -> None:
    network = made((0, 1), (2, 3))
    expected = network(INPUTS)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(network(INPUTS), expected)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.8])
def test_the_correction_is_bayes_rule(share: float) -> None:
    """Trained at even odds, used where its classes have `share` of the examples."""
    learned = torch.tensor([0.3, 0.6, 0.1], dtype=torch.float64)  # two classes and the dustbin
    true = learned * torch.tensor([share, share, 1 - share], dtype=torch.float64) / 0.5
    corrected = learned.log()
    corrected[-1] += correction_of(share)
    torch.testing.assert_close(corrected.softmax(0), true / true.sum())
    assert correction_of(share) == pytest.approx(math.log((1 - share) / share))
