"""The score of a density: the derivatives of log p(x) by the input."""

from typing import ClassVar

from torch import Tensor, nn

from kdistill.data.batch import Batch
from kdistill.signals.signal import ANSWER, Signal


class Score(Signal):
    """d log p(x) / dx [batch, *input], by the floats that the model reads; with it comes log p.

    The model has `score(inputs) -> (log p, d log p / dx)`.
    """

    rank: ClassVar[int] = 2

    def ask(self, model: nn.Module, batch: Batch, needs: frozenset[Signal]) -> dict[Signal, Tensor]:
        log_p, score = model.score(batch.inputs)  # type: ignore[operator]
        return {ANSWER: log_p, self: score}


SCORE: Signal = Score("score")
