"""Soft targets (Hinton, Vinyals & Dean 2015, section 2).

    total = T^2 * KL(softmax(v / T) || softmax(z / T)) + hard_weight * CE(y, softmax(z))

z are the student's logits, v the teacher's. T^2 keeps the soft gradients, which shrink like 1/T^2,
in balance with the hard ones, so that T can be swept with hard_weight left alone.
"""

from torch import Tensor

from kdistill.data.batch import Batch
from kdistill.losses.divergence import cross_entropy, kl_at_temperature
from kdistill.losses.loss import Loss, averaged, logits_of, number
from kdistill.signals.signals import Signals


class SoftTargets(Loss):
    """temperature > 0; hard_weight >= 0 (0: labels are not looked at, and may be absent)."""

    temperature: Tensor
    hard_weight: Tensor

    def __init__(self, temperature: float = 4.0, hard_weight: float = 0.1) -> None:
        super().__init__()
        self.register_buffer("temperature", number("temperature", temperature, 0, above=True))
        self.register_buffer("hard_weight", number("hard_weight", hard_weight, 0))
        self.needs_targets = hard_weight > 0

    @property
    def laws(self) -> frozenset[str]:  # type: ignore[override]
        """The hard term keeps the loss from vanishing at equality, and from its limit in T."""
        always = {"class_count", "shift_invariance", "continuity", "temperature_squared"}
        pure = {"zero_at_equality", "logit_regression"}
        return frozenset(always if self.needs_targets else always | pure)

    def forward(self, student: Signals, teacher: Signals | None, batch: Batch) -> dict[str, Tensor]:
        z, v = logits_of(student), logits_of(teacher)
        kl = averaged(kl_at_temperature(z, v, self.temperature), batch)
        terms = {"soft": self.temperature**2 * kl}
        if not self.needs_targets:
            return {"total": terms["soft"], **terms}
        terms["hard"] = cross_entropy(z, batch)
        return {"total": terms["soft"] + self.hard_weight * terms["hard"], **terms}
