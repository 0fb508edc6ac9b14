"""Objective: the one nn.Module the engine trains; whatever wraps a model wraps this."""

from collections.abc import Callable, Iterator

from torch import Tensor, nn

from kdistill.data.batch import Batch
from kdistill.losses.loss import Loss
from kdistill.signals.ask import ask
from kdistill.signals.signal import ANSWER
from kdistill.signals.signals import Signals

WATCHED = "watched "  # begins the name of a figure that stands beside the loss terms
Watch = Callable[[Tensor, Batch], dict[str, Tensor]]  # figures [] of a step's answers


class Objective(nn.Module):
    """The student, and the loss with whatever that trains itself; only the student is kept.

    watch: figures of the answers where targets are known (Task.watch).
    """

    def __init__(self, student: nn.Module, loss: Loss, watch: Watch | None = None) -> None:
        super().__init__()
        self.student, self.loss, self.watch = student, loss, watch

    def forward(self, batch: Batch, teacher: Signals | None) -> dict[str, Tensor]:
        """The loss' named terms, "total" among them, and what is watched."""
        answer = ask(self.student, batch, self.loss.student_needs)
        terms: dict[str, Tensor] = self.loss(answer, teacher, batch)
        known = batch.targets is not None and ANSWER in answer
        if self.watch and known and isinstance(terms, dict):
            watched = self.watch(answer[ANSWER].detach(), batch)
            terms = {**terms, **{WATCHED + name: value for name, value in watched.items()}}
        return terms

    def constrain(self) -> None:
        """Let every part that has a constraint on its weights (max-norm) put them back inside."""
        for part in self.modules():
            if part is not self and hasattr(part, "constrain"):
                part.constrain()  # type: ignore[operator]


def trainable(module: nn.Module) -> Iterator[nn.Parameter]:
    """The parameters that a step changes."""
    return (parameter for parameter in module.parameters() if parameter.requires_grad)
