"""Cross-entropy with smoothing: torch's own definition, and its range."""

import pytest
import torch
from torch.nn import functional as F

from kdistill.data.batch import Batch
from kdistill.losses.hard_labels import HardLabels
from kdistill.signals.signal import ANSWER
from kdistill.signals.signals import Signals


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_equals_torch_cross_entropy(smoothing: float) -> None:
    z, labels = torch.randn(7, 4), torch.arange(7) % 4
    total = HardLabels(smoothing)(Signals({ANSWER: z}), None, Batch(z, labels))["total"]
    torch.testing.assert_close(total, F.cross_entropy(z, labels, label_smoothing=smoothing))


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_smoothing_out_of_range_is_refused(smoothing: float) -> None:
    with pytest.raises(ValueError, match="label_smoothing must be"):
        HardLabels(smoothing)
