"""Likelihood: the student's own, on whatever the stream brings.

    total = -mean log q(x)

On the teacher's samples it is KL(p || q), the teacher's entropy apart (Papamakarios 2015, chapter
4); on data it is how a density is trained without a teacher.
"""

from torch import Tensor

from kdistill.data.batch import Batch
from kdistill.losses.loss import Loss, from_stream, log_density_of
from kdistill.signals.signal import Signal
from kdistill.signals.signals import Signals


class Likelihood(Loss):
    """The mean negative log-likelihood, in nats."""

    teacher_needs = frozenset[Signal]()
    compares = frozenset({"density"})

    def forward(self, student: Signals, teacher: Signals | None, batch: Batch) -> dict[str, Tensor]:
        return {"total": -from_stream(log_density_of(student), batch).mean()}
