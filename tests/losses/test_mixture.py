"""A mixture is the weighted sum of its terms, and needs what they need."""

import pytest
import torch

from kdistill.data.batch import Batch
from kdistill.losses.derivative_matching import DerivativeMatching
from kdistill.losses.hard_labels import HardLabels
from kdistill.losses.logits import Logits
from kdistill.losses.mixture import Mixture
from kdistill.losses.soft_targets import SoftTargets
from kdistill.signals.signal import ANSWER
from kdistill.signals.signals import Signals


def test_sums_the_totals_and_names_every_term() -> None:
    z, v, labels = torch.randn(4, 3), torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    soft, logits = SoftTargets(2.0, 0.5), Logits()
    mixture = Mixture({"a": {"weight": 2.0, "loss": soft}, "b": {"weight": 0.5, "loss": logits}})
    asked = (Signals({ANSWER: z}), Signals({ANSWER: v}), Batch(z, labels))
    terms = mixture(*asked)
    torch.testing.assert_close(
        terms["total"], 2 * soft(*asked)["total"] + 0.5 * logits(*asked)["total"]
    )
    assert list(terms) == ["total", "a.total", "a.soft", "a.hard", "b.total"]


def test_needs_what_its_terms_need() -> None:
    alone = Mixture({"a": {"weight": 1, "loss": Logits()}})
    both = Mixture({"a": {"weight": 1, "loss": Logits()}, "b": {"weight": 1, "loss": HardLabels()}})
    hard = Mixture({"b": {"weight": 1, "loss": HardLabels()}})
    assert (alone.needs_targets, both.needs_targets) == (False, True)
    assert (both.teacher_needs, hard.teacher_needs) == ({ANSWER}, set())
    twice = Mixture({"a": {"weight": 1, "loss": DerivativeMatching()}})
    assert (alone.double_backward, twice.double_backward) == (False, True)


def test_what_it_trains_is_trained_through_it() -> None:
    class Projected(Logits):
        def bind(self, student, teacher):
            self.projector = torch.nn.Linear(student[ANSWER][0], teacher[ANSWER][0])

    mixture = Mixture({"a": {"weight": 1, "loss": Projected()}})
    mixture.bind({ANSWER: torch.Size([3])}, {ANSWER: torch.Size([5])})
    assert sum(p.numel() for p in mixture.parameters()) == 3 * 5 + 5


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({}, "at least one loss"),
        ({"a": {"weight": -1, "loss": Logits()}}, "terms.a.weight must be >= 0, got -1"),
        ({"forward": {"weight": 1, "loss": Logits()}}, "terms.forward: torch cannot hold"),
        ({"a.b": {"weight": 1, "loss": Logits()}}, "terms.a.b: torch cannot hold"),
        ({"a": {"loss": Logits()}}, "terms.a must have the keys weight and loss"),
        ({"a": {"weight": 1, "loss": torch.nn.ReLU()}}, "terms.a.loss must be a loss"),
    ],
)
def test_wrong_terms_are_refused(terms, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mixture(terms)
