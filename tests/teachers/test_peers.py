"""What members of a community learn by: the labels, and their peers as fixed targets."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdistill.data.batch import Batch
from kdistill.losses.hard_labels import HardLabels
from kdistill.losses.soft_targets import SoftTargets
from kdistill.signals.signal import ANSWER
from kdistill.signals.signals import Signals
from kdistill.teachers.ensemble import COMBINATIONS
from kdistill.teachers.peers import Members, Peers, of_the_others

T = 3.0
LABELS = torch.tensor([0, 2, 1, 3])
BATCH = Batch(torch.zeros(4, 1), LABELS)


@pytest.fixture
def said() -> Tensor:
    """Logits [members, batch, classes] of three members."""
    return 3 * torch.randn(3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def peers(weight: float, combine: str = "arithmetic") -> Peers:
    return Peers(HardLabels(), SoftTargets(T, 0.0), weight, combine).double()


def gradient(loss: Peers, said: Tensor) -> Tensor:
    said = said.clone().requires_grad_()
    loss(Signals({ANSWER: said}), None, BATCH)["total"].backward()
    assert said.grad is not None
    return said.grad


def test_members_answer_side_by_side() -> None:
    networks = [nn.Linear(2, 3) for _ in range(4)]
    inputs = torch.randn(5, 2)
    answer = Members(networks)(inputs)
    assert answer.shape == (4, 5, 3)
    assert all(torch.equal(one, net(inputs)) for one, net in zip(answer, networks, strict=True))


def test_the_others_are_averaged_without_the_one_who_learns(said: Tensor) -> None:
    probabilities = (said[0].softmax(1) + said[2].softmax(1)) / 2
    torch.testing.assert_close(of_the_others(said, 1, "arithmetic").exp(), probabilities)
    torch.testing.assert_close(of_the_others(said, 1, "geometric"), (said[0] + said[2]) / 2)
    torch.testing.assert_close(of_the_others(said[:2], 0, "arithmetic"), said[1].log_softmax(1))


@pytest.mark.parametrize("combine", COMBINATIONS)
def test_each_member_descends_its_own_loss_with_its_peers_held_fixed(
    said: Tensor, combine: str
) -> None:
    """The whole gradient in closed form: nothing in it comes through the targets."""
    weight = 0.7
    expected = []
    for member, logits in enumerate(said):
        true = F.one_hot(LABELS, 5)
        target = (of_the_others(said, member, combine) / T).softmax(1)
        soft = T * ((logits / T).softmax(1) - target)  # T^2 * KL, differentiated
        expected.append((logits.softmax(1) - true + weight * soft) / len(LABELS))
    torch.testing.assert_close(gradient(peers(weight, combine), said), torch.stack(expected))


def test_without_weight_each_learns_as_it_would_alone_bit_for_bit(said: Tensor) -> None:
    alone = said.clone().requires_grad_()
    for logits in alone:
        HardLabels()(Signals({ANSWER: logits}), None, BATCH)["total"].backward()
    assert torch.equal(gradient(peers(0.0), said), alone.grad)
    assert not torch.equal(gradient(peers(0.1), said), alone.grad)


def test_the_total_is_a_sum_and_the_terms_are_means(said: Tensor) -> None:
    terms = peers(0.5)(Signals({ANSWER: said}), None, BATCH)
    labelled = torch.stack([F.cross_entropy(logits, LABELS) for logits in said])
    torch.testing.assert_close(terms["own"], labelled.mean())
    torch.testing.assert_close(terms["total"], 3 * (terms["own"] + 0.5 * terms["peers"]))


def test_equal_members_have_nothing_to_learn_from_each_other(said: Tensor) -> None:
    alike = said[:1].expand(3, -1, -1)
    terms = peers(1.0)(Signals({ANSWER: alike}), None, BATCH)
    torch.testing.assert_close(terms["peers"], torch.zeros_like(terms["peers"]))


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="peer_weight must be >= 0, got -1"):
        peers(-1.0)
