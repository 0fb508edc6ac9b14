"""Logit regression (Ba & Caruana 2014, equation 1; Sau & Balasubramanian 2016, equation 1).

    total = 1/2 * sum_i (z_i - v_i)^2     summed over classes, averaged over the batch

Soft targets at temperature T -> infinity with centred logits are this divided by the number of
classes (Hinton et al. 2015, section 2.1).
"""

from torch import Tensor

from kdistill.data.batch import Batch
from kdistill.losses.loss import Loss, averaged, logits_of
from kdistill.signals.signals import Signals


class Logits(Loss):
    """Squared error on the raw logits; no temperature, no labels."""

    laws = frozenset({"zero_at_equality", "class_count", "continuity", "temperature_squared"})

    def forward(self, student: Signals, teacher: Signals | None, batch: Batch) -> dict[str, Tensor]:
        difference = logits_of(student) - logits_of(teacher)
        return {"total": 0.5 * averaged(difference.square().sum(dim=-1), batch)}
