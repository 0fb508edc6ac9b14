"""ReverseKL: the student's samples, judged by the teacher (Papamakarios 2015, chapter 4).

    KL(q || p) = E_q[log q(x) - log p~(x)] + log Z        x sampled from q

Its gradient is E_q[(log q - log p~ - b) d log q], the score-function estimator (Williams 1992); b,
which leaves its mean as it is, is the mean over the other samples of the batch.
"""

from torch import Tensor

from kdistill.data.batch import Batch
from kdistill.losses.loss import Loss, from_student, log_density_of
from kdistill.signals.signals import Signals


class ReverseKL(Loss):
    """`kl` is KL(q || p) - log Z in nats; the value of `total` means nothing, its gradient does."""

    compares = frozenset({"density"})
    needs_samples = True

    def forward(self, student: Signals, teacher: Signals | None, batch: Batch) -> dict[str, Tensor]:
        log_q = from_student(log_density_of(student), batch)
        excess = (log_q - from_student(log_density_of(teacher), batch)).detach()
        count = len(excess)
        beyond = (excess - excess.mean()) * (count / max(count - 1, 1))  # excess - mean of others
        return {"total": (beyond * log_q).mean(), "kl": excess.mean()}
