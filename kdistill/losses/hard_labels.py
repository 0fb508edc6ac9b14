"""Cross-entropy with the true labels, optionally smoothed (Szegedy et al. 2016, section 7).

total = -sum_i ((1 - s) [i = y] + s / classes) log softmax(z)_i
"""

from torch import Tensor

from kdistill.data.batch import Batch
from kdistill.losses.divergence import cross_entropy
from kdistill.losses.loss import Loss, averaged, logits_of, number
from kdistill.signals.signal import Signal
from kdistill.signals.signals import Signals


class HardLabels(Loss):
    """label_smoothing s in [0, 1). What baselines and teachers learn by; asks no teacher."""

    teacher_needs = frozenset[Signal]()
    needs_targets = True
    label_smoothing: Tensor

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if label_smoothing >= 1:
            raise ValueError(f"label_smoothing must be < 1, got {label_smoothing:g}")
        self.register_buffer("label_smoothing", number("label_smoothing", label_smoothing, 0))
        self._smooths = label_smoothing > 0

    @property
    def laws(self) -> frozenset[str]:  # type: ignore[override]
        """Smoothing gives mass to every class, so padding classes change it."""
        always = {"shift_invariance", "continuity", "temperature_squared"}
        return frozenset(always if self._smooths else always | {"class_count"})

    def forward(self, student: Signals, teacher: Signals | None, batch: Batch) -> dict[str, Tensor]:
        logits = logits_of(student)
        true = cross_entropy(logits, batch)
        if not self._smooths:
            return {"total": true}
        uniform = -averaged(logits.log_softmax(dim=-1), batch)
        return {"total": true + self.label_smoothing * (uniform - true)}
