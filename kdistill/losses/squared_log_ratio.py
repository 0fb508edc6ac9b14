"""SquaredLogRatio: the student's log-probabilities onto the teacher's, which lack a constant.

    total = 1/2 * mean (log q(x) - log p~(x) + c)^2        x sampled from the teacher

(Papamakarios 2015, chapter 4). The right c is log Z, which nobody knows: it is given, or a running
mean of log p~ - log q. Over the teacher's samples that mean is log Z + KL(p || q), and the c of the
least loss; over the student's it is log Z - KL(q || p). The two close in on log Z as q nears p.
"""

import torch
from torch import Tensor

from kdistill.data.batch import Batch
from kdistill.losses.loss import Loss, from_stream, from_student, log_density_of
from kdistill.signals.signals import Signals

MEMORY = 0.99  # of the running mean, a step


class SquaredLogRatio(Loss):
    """constant: c in nats, "learned" (from the teacher's samples) or "student" (from its own)."""

    compares = frozenset({"density"})

    constant: Tensor  # c, in nats; NaN before the first batch

    def __init__(self, constant: float | str = "learned") -> None:
        super().__init__()
        estimated = isinstance(constant, str)
        if estimated and constant not in ("learned", "student"):
            raise ValueError(f"constant must be a number, learned or student, got {constant}")
        self.estimated, self.needs_samples = estimated, constant == "student"
        value = float("nan") if estimated else float(constant)
        self.register_buffer("constant", torch.tensor(value))

    def forward(self, student: Signals, teacher: Signals | None, batch: Batch) -> dict[str, Tensor]:
        ratio = log_density_of(teacher) - log_density_of(student)
        if self.estimated and self.training:
            chosen = from_student if self.needs_samples else from_stream
            now = chosen(ratio, batch).detach().mean()
            kept = torch.where(self.constant.isnan(), now, self.constant)
            self.constant.copy_(MEMORY * kept + (1 - MEMORY) * now)
        difference = self.constant - from_stream(ratio, batch)
        return {"total": 0.5 * difference.square().mean(), "constant": self.constant.clone()}
