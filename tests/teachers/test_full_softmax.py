"""Hard targets for a specialist's own examples, the generalist's soft targets for the others."""

import pytest
import torch
from torch.nn import functional as F

from kdistill.data.batch import Batch
from kdistill.signals.signal import ANSWER
from kdistill.signals.signals import Signals
from kdistill.teachers.full_softmax import FullSoftmax


def test_each_half_has_its_own_targets() -> None:
    z, v = torch.randn(2, 4, 6, dtype=torch.float64)
    labels = torch.tensor([0, 5, 2, 3])  # the first and the third are its own
    loss = FullSoftmax([0, 2], 5.0).double()
    terms = loss(Signals({ANSWER: z}), Signals({ANSWER: v}), Batch(torch.zeros(4, 1), labels))
    hard = F.cross_entropy(z[[0, 2]], labels[[0, 2]], reduction="sum")
    others = F.kl_div((z[[1, 3]] / 5).log_softmax(1), (v[[1, 3]] / 5).softmax(1), reduction="sum")
    torch.testing.assert_close(terms["hard"], hard / 4)
    torch.testing.assert_close(terms["soft"], 25 * others / 4)
    torch.testing.assert_close(terms["total"], terms["hard"] + terms["soft"])


def test_positions_count_under_a_mask() -> None:
    z, v = torch.randn(2, 3, 2, 6, dtype=torch.float64)
    labels, mask = torch.tensor([[0, 5], [2, 3], [1, -1]]), torch.tensor([[True, True]] * 3)
    mask[2, 1] = False
    loss = FullSoftmax([0, 2], 5.0).double()
    terms = loss(Signals({ANSWER: z}), Signals({ANSWER: v}), Batch(z, labels, mask=mask))
    flat = loss(
        Signals({ANSWER: z[mask]}), Signals({ANSWER: v[mask]}), Batch(z[mask], labels[mask])
    )
    torch.testing.assert_close(terms, flat)


def test_the_generalist_is_left_alone_on_own_examples() -> None:
    """What it says of them is not looked at, and gets no gradient."""
    z, labels = torch.randn(3, 6), torch.tensor([1, 1, 4])
    said = torch.randn(2, 3, 6)
    said[1, 2] = said[0, 2]
    totals = [
        FullSoftmax([1], 2.0)(Signals({ANSWER: z}), Signals({ANSWER: v}), Batch(z, labels))["total"]
        for v in said
    ]
    torch.testing.assert_close(*totals)


def test_a_temperature_of_0_is_refused() -> None:
    with pytest.raises(ValueError, match="full_softmax must be > 0, got 0"):
        FullSoftmax([1], 0.0)
