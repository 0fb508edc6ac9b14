"""ContrastiveDivergence: how a density that cannot be normalised learns from data.

    total = mean log p~(own samples) - mean log p~(data)

Its gradient is that of CD-k where the samples are the data after k sweeps (Hinton 2002), and that
of PCD where they come from chains that go on (Tieleman 2008).
"""

from torch import Tensor

from kdistill.data.batch import Batch
from kdistill.losses.loss import Loss, from_stream, from_student, log_density_of
from kdistill.signals.signal import Signal
from kdistill.signals.signals import Signals


class ContrastiveDivergence(Loss):
    """The difference of mean log-densities, in nats: no likelihood, and no measure of progress."""

    teacher_needs = frozenset[Signal]()
    compares = frozenset({"density"})
    needs_samples = True

    def forward(self, student: Signals, teacher: Signals | None, batch: Batch) -> dict[str, Tensor]:
        log_p = log_density_of(student)
        return {"total": from_student(log_p, batch).mean() - from_stream(log_p, batch).mean()}
