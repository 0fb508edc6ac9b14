"""Signal: something that a model can be asked of a batch; it knows how. A new one is a new file.

>>> ANSWER == Answer("answer"), ANSWER.name, ANSWER.kept_as() is ANSWER
(True, 'answer', True)
>>> found = ANSWER.ask(nn.Flatten(), Batch(torch.zeros(2, 3, 4)), frozenset({ANSWER}))
>>> {signal.name: [*value.shape] for signal, value in found.items()}
{'answer': [2, 12]}
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from kdistill.data.batch import Batch


@dataclass(frozen=True)
class Signal(ABC):
    """Equal signals are one."""

    name: str
    rank: ClassVar[int] = 0  # richer signals are asked first: their pass gives plainer ones too
    inside: ClassVar[bool] = False  # whether it is of layers, which a compiled model does not show

    @abstractmethod
    def ask(
        self, model: nn.Module, batch: Batch, needs: frozenset["Signal"]
    ) -> dict["Signal", Tensor]:
        """This signal [batch, ...], and those that come with it, among them all of `needs` that
        cost nothing more."""

    @property
    def file(self) -> str:
        """The name of its file in the store."""
        return self.name

    def kept_as(self) -> "Signal":
        """What is stored in its place, so that it can be made anew for each batch."""
        return self

    def restored(self, kept: Tensor, batch: Batch) -> Tensor:
        """The signal [batch, ...] from the stored rows of `kept_as`."""
        return kept


class Answer(Signal):
    """What the module returns: logits [batch, classes]; of a density log p(x) [batch], or
    log p(x) + log Z of an unnormalised p; of an ensemble the combined answer."""

    def ask(self, model: nn.Module, batch: Batch, needs: frozenset[Signal]) -> dict[Signal, Tensor]:
        return {self: model(batch.inputs)}


def key_of(batch: Batch) -> Tensor:
    """The samples' keys [batch]; TypeError for a batch without."""
    if batch.key is None:
        raise TypeError("directions are drawn from the samples' keys, and the batch has none")
    return batch.key


def wide(value: Tensor) -> Tensor:
    """`value` in float32, or float64 where it is that."""
    return value.to(torch.promote_types(value.dtype, torch.float32))


ANSWER: Signal = Answer("answer")
