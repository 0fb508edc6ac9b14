"""Logit regression: the scale is a sum over classes, halved, and a mean over the batch."""

import torch

from kdistill.data.batch import Batch
from kdistill.losses.logits import Logits
from kdistill.signals.signal import ANSWER
from kdistill.signals.signals import Signals


def test_scale() -> None:
    z, v = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    total = Logits()(Signals({ANSWER: z}), Signals({ANSWER: v}), Batch(z))["total"]
    assert total == (0.5 * 5 + 0.5 * 25) / 2
