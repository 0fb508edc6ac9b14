"""What a specialist with a full softmax learns by (Hinton, Vinyals & Dean 2015, section 6.1).

    own examples   CE(y, softmax(z))                                  hard targets, T = 1
    the others     T^2 * KL(softmax(v / T) || softmax(z / T))         the generalist's soft targets

averaged over the batch; z are the specialist's logits over all classes, v the generalist's.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from kdistill.data.batch import Batch
from kdistill.losses.divergence import cross_entropies, kl_at_temperature
from kdistill.losses.loss import Loss, averaged, logits_of, number, targets_of
from kdistill.signals.signals import Signals


class FullSoftmax(Loss):
    """classes: the labels of the specialist's own; temperature > 0 of the soft targets."""

    needs_targets = True
    temperature: Tensor
    classes: Tensor

    def __init__(self, classes: Sequence[int], temperature: float) -> None:
        super().__init__()
        self.register_buffer("temperature", number("full_softmax", temperature, 0, above=True))
        self.register_buffer("classes", torch.tensor(classes))

    def forward(self, student: Signals, teacher: Signals | None, batch: Batch) -> dict[str, Tensor]:
        z, v = logits_of(student), logits_of(teacher)
        own = torch.isin(targets_of(batch), self.classes)
        hard = cross_entropies(z, batch)
        soft = self.temperature**2 * kl_at_temperature(z, v, self.temperature)
        hard = averaged(torch.where(own, hard, 0.0), batch)
        soft = averaged(torch.where(own, 0.0, soft), batch)
        return {"total": hard + soft, "hard": hard, "soft": soft}
