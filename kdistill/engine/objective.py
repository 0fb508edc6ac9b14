"""Objective: the one nn.Module the engine trains; whatever wraps a model wraps this."""

from collections.abc import Iterator

from torch import Tensor, nn

from kdistill.data.batch import Batch
from kdistill.data.tree import single
from kdistill.losses.loss import Loss
from kdistill.signals.ask import ask
from kdistill.signals.signal import ANSWER
from kdistill.signals.signals import Signals

RIGHT = "share right"  # of the answers of a step: stands beside the loss terms


class Objective(nn.Module):
    """The student, and the loss with whatever that trains itself; only the student is kept."""

    def __init__(self, student: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.student, self.loss = student, loss

    def forward(self, batch: Batch, teacher: Signals | None) -> dict[str, Tensor]:
        """The loss' named terms, "total" among them; RIGHT too, where targets are known."""
        answer = ask(self.student, batch, self.loss.student_needs)
        terms: dict[str, Tensor] = self.loss(answer, teacher, batch)
        of_classes = "classes" in self.loss.compares and ANSWER in answer
        if isinstance(terms, dict) and batch.targets is not None and of_classes:
            right = answer[ANSWER].detach().argmax(-1) == single(batch.targets)
            terms = {**terms, RIGHT: _share(right, batch.mask)}
        return terms

    def constrain(self) -> None:
        """Let every part that has a constraint on its weights (max-norm) put them back inside."""
        for part in self.modules():
            if part is not self and hasattr(part, "constrain"):
                part.constrain()  # type: ignore[operator]


def trainable(module: nn.Module) -> Iterator[nn.Parameter]:
    """The parameters that a step changes."""
    return (parameter for parameter in module.parameters() if parameter.requires_grad)


def _share(right: Tensor, mask: Tensor | None) -> Tensor:
    """Of [..., batch, *positions] those that are right, among all or among those under `mask`."""
    if mask is None:
        return right.float().mean()
    return (right & mask).float().mean() / mask.float().mean().clamp_min(1 / mask.numel())
