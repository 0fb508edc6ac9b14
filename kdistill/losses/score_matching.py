"""ScoreMatching: the derivatives of the student's log-probability onto the teacher's.

    total = 1/2 * mean |d log q(x) / dx - d log p~(x) / dx|^2        x sampled from the teacher

(Papamakarios 2015, chapter 4). Both are differentiated as functions of real x, which bits are not;
the constant that p~ lacks drops out.
"""

from torch import Tensor

from kdistill.data.batch import Batch
from kdistill.losses.loss import Loss, from_stream, signal_of
from kdistill.signals.score import SCORE
from kdistill.signals.signal import ANSWER
from kdistill.signals.signals import Signals


class ScoreMatching(Loss):
    """Summed over the numbers of an input."""

    student_needs = frozenset({ANSWER, SCORE})
    teacher_needs = frozenset({SCORE})
    compares = frozenset({"density"})
    double_backward = True

    def forward(self, student: Signals, teacher: Signals | None, batch: Batch) -> dict[str, Tensor]:
        difference = from_stream(student[SCORE] - signal_of(teacher, SCORE), batch).flatten(1)
        return {"total": 0.5 * difference.square().sum(dim=1).mean()}
