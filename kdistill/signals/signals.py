"""Signals: what a model said about a Batch; Answers: whoever can be asked."""

from dataclasses import dataclass, fields
from typing import Protocol

from torch import Tensor
from torch.utils._pytree import register_dataclass

from kdistill.data.batch import Batch


@dataclass(frozen=True)
class Signals:
    """Optional tensors, one row per sample of the batch; a new kind of signal is a new field."""

    logits: Tensor | None = None  # [batch, classes]; of an ensemble: combined
    input_gradients: Tensor | None = None  # [batch, classes, *input]: d log p(class | x) / dx
    slopes: Tensor | None = None  # [batch, classes]: those along a direction from the sample's key
    log_density: Tensor | None = None  # [batch]: log p(x), or log p(x) + log Z of an unnormalised p
    score: Tensor | None = None  # [batch, *input]: d log p(x) / dx


register_dataclass(Signals, field_names=[field.name for field in fields(Signals)])


class Answers(Protocol):
    """Teachers and students alike: asked about a batch, answer with at least the named signals."""

    def answer(self, batch: Batch, needs: frozenset[str]) -> Signals: ...
