"""ScoreMatching: the derivatives of the student's log-probability onto the teacher's.

    total = 1/2 * mean |d log q(x) / dx - d log p~(x) / dx|^2        x sampled from the teacher

(Papamakarios 2015, chapter 4). Both are differentiated as functions of real x, which bits are not;
the constant that p~ lacks drops out.
"""

from torch import Tensor

from kdistill.data.batch import Batch
from kdistill.losses.loss import Loss, given
from kdistill.signals.signals import Signals


class ScoreMatching(Loss):
    """Summed over the numbers of an input."""

    student_needs = frozenset({"log_density", "score"})
    teacher_needs = frozenset({"score"})
    double_backward = True

    def forward(self, student: Signals, teacher: Signals | None, batch: Batch) -> dict[str, Tensor]:
        if student.score is None or teacher is None or teacher.score is None:
            raise TypeError("score was not asked for; name it in student_needs and teacher_needs")
        difference = given(student.score - teacher.score, batch).flatten(1)
        return {"total": 0.5 * difference.square().sum(dim=1).mean()}
