"""Derivative matching (Papamakarios 2015, chapter 2): the student's log-probabilities shall also
change with the input as the teacher's do.

    total = value_weight * KL(y || f)
          + derivative_weight / D * sum_i w_i / 2 * |d log f_i / dx - d log y_i / dx|^2

f and y are the student's and the teacher's probabilities at T = 1, D the numbers of an input. w_i
is 1 / classes, or y_i: average score matching, for two classes the thesis' binary loss. Without the
value term it still tells the student everything: log-probabilities that are known up to a constant
for each class must add up to probability 1 at every input.
"""

import torch
from torch import Tensor

from kdistill.data.batch import Batch
from kdistill.data.tree import single
from kdistill.losses.divergence import kl_at_temperature
from kdistill.losses.loss import Loss, averaged, logits_of, number, signal_of
from kdistill.signals.input_gradients import INPUT_GRADIENTS, SLOPES
from kdistill.signals.signal import ANSWER, Signal
from kdistill.signals.signals import Signals

WEIGHTINGS = ("uniform", "teacher")


class DerivativeMatching(Loss):
    """value_weight, derivative_weight >= 0; weighting: uniform | teacher.

    exact false: the squared difference along one random direction, the same for teacher and
    student, is an unbiased estimate of the sum over D, at a cost that does not grow with D or the
    classes.
    """

    value_weight: Tensor
    derivative_weight: Tensor

    def __init__(
        self,
        value_weight: float = 1.0,
        derivative_weight: float = 1.0,
        weighting: str = "uniform",
        exact: bool = True,
    ) -> None:
        super().__init__()
        if weighting not in WEIGHTINGS:
            raise ValueError(f"weighting must be uniform or teacher, got {weighting}")
        self.register_buffer("value_weight", number("value_weight", value_weight, 0))
        self.register_buffer("derivative_weight", number("derivative_weight", derivative_weight, 0))
        self.weighting, self.exact = weighting, exact
        self._fades = weighting == "teacher" or derivative_weight == 0
        self.double_backward = derivative_weight > 0
        needs = {ANSWER, self._compared} if self.double_backward else {ANSWER}
        self.student_needs = self.teacher_needs = frozenset(needs)

    @property
    def _compared(self) -> Signal:
        return INPUT_GRADIENTS if self.exact else SLOPES

    @property
    def laws(self) -> frozenset[str]:  # type: ignore[override]
        """Uniform weights look at classes without mass too."""
        always = {"zero_at_equality", "shift_invariance", "continuity", "temperature_squared"}
        return frozenset(always | {"class_count"} if self._fades else always)

    def forward(self, student: Signals, teacher: Signals | None, batch: Batch) -> dict[str, Tensor]:
        z, v = logits_of(student), logits_of(teacher)
        value = averaged(kl_at_temperature(z, v, torch.ones_like(self.value_weight)), batch)
        if not self.double_backward:
            return {"total": self.value_weight * value, "value": value}
        weights = v.softmax(dim=-1) if self.weighting == "teacher" else 1 / z.shape[-1]
        squares = self._squares(student, teacher)
        if self.exact:
            squares = squares.flatten(z.dim()).sum(dim=-1)
        derivative = averaged((weights * squares).sum(dim=-1), batch) / 2
        inputs = single(batch.inputs)[0].numel()
        total = self.value_weight * value + self.derivative_weight / inputs * derivative
        return {"total": total, "value": value, "derivative": derivative}

    def _squares(self, student: Signals, teacher: Signals | None) -> Tensor:
        """Squared differences [batch, classes, *input], or [batch, classes] along a direction."""
        return (student[self._compared] - signal_of(teacher, self._compared)).square()
