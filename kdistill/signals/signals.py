"""Signals: what a model answered about a Batch; Answers: whoever can be asked.

>>> import torch
>>> from kdistill.signals.signal import ANSWER
>>> signals = Signals({ANSWER: torch.tensor([[0.5, 2.0]])})
>>> signals[ANSWER]
tensor([[0.5000, 2.0000]])
>>> Signals()[ANSWER]
Traceback (most recent call last):
TypeError: answer was not asked for; name it in student_needs or teacher_needs
"""

from collections.abc import Iterable
from typing import Protocol

from torch import Tensor
from torch.utils._pytree import register_pytree_node

from kdistill.data.batch import Batch
from kdistill.signals.signal import Signal


class Signals(dict[Signal, Tensor]):
    """Tensors by signal, with a row for each sample of the batch."""

    def __missing__(self, signal: Signal) -> Tensor:
        raise TypeError(
            f"{signal.name} was not asked for; name it in student_needs or teacher_needs"
        )


def _flattened(signals: Signals) -> tuple[list[Tensor], tuple[Signal, ...]]:
    return list(signals.values()), tuple(signals)


def _unflattened(values: Iterable[Tensor], context: tuple[Signal, ...]) -> Signals:
    return Signals(zip(context, values, strict=True))


# so that DDP and FSDP find the tensors
register_pytree_node(Signals, _flattened, _unflattened)


class Answers(Protocol):
    """Teachers and students alike: asked about a batch, answer with at least the signals named."""

    def answer(self, batch: Batch, needs: frozenset[Signal]) -> Signals: ...
