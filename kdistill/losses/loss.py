"""What every loss is: an nn.Module that says what it needs and returns named terms."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from kdistill.data.batch import Batch
from kdistill.data.tree import single
from kdistill.signals.signals import Signals


class Loss(nn.Module):
    """Compare what the student said with what the teacher said, as docs/losses.md weighs them.

    A subclass overrides the facts below where they differ and defines
    `forward(student, teacher, batch)`, which returns scalar terms by name; the term "total" is
    what is minimised, the others are logged. Whatever a loss trains itself is made in `bind`.
    """

    student_needs: frozenset[str] = frozenset({"logits"})  # fields of Signals
    teacher_needs: frozenset[str] = frozenset({"logits"})  # empty: no teacher is asked
    needs_targets: bool = False
    needs_own: bool = False  # samples of the student's own in every batch: Batch.own says which
    double_backward: bool = False  # whether it differentiates the student before the training does
    # which of tests/laws/ it obeys; a law it does not list must fail for it
    laws: ClassVar[frozenset[str]] = frozenset()

    def bind(self, student: Mapping[str, torch.Size], teacher: Mapping[str, torch.Size]) -> None:
        """Make what this loss trains, from the shapes of both models' signals (batch excluded)."""

    def forward(self, student: Signals, teacher: Signals | None, batch: Batch) -> dict[str, Tensor]:
        raise NotImplementedError(f"{type(self).__name__} defines no forward")


def logits_of(said: Signals | None) -> Tensor:
    """Logits [batch, classes]; TypeError where a model was not asked for them."""
    if said is None or said.logits is None:
        raise TypeError("logits were not asked for; name them in student_needs or teacher_needs")
    return said.logits


def log_density_of(said: Signals | None) -> Tensor:
    """log p(x) [batch]; TypeError where a model was not asked for it."""
    if said is None or said.log_density is None:
        raise TypeError("log_density was not asked for; name it in student_needs or teacher_needs")
    return said.log_density


def given(values: Tensor, batch: Batch) -> Tensor:
    """The rows of `values` [batch, ...] that the stream gave."""
    return values if batch.own is None else values[~batch.own]


def own(values: Tensor, batch: Batch) -> Tensor:
    """The rows of `values` [batch, ...] that are samples of the student; TypeError without any."""
    if batch.own is None:
        raise TypeError("the batch has no samples of the student; say so by needs_own")
    return values[batch.own]


def targets_of(batch: Batch) -> Tensor:
    """The targets [batch, ...], one array; TypeError for a batch without, or with several."""
    if batch.targets is None:
        raise TypeError("the batch has no targets; say so by needs_targets")
    return single(batch.targets)


def number(name: str, value: float, low: float, above: bool = False) -> Tensor:
    """`value` as a scalar for a buffer; ValueError unless value >= low (> low if `above`)."""
    if not (value > low if above else value >= low) or value == float("inf"):
        bound = f"{'>' if above else '>='} {low:g}" if value != float("inf") else "finite"
        raise ValueError(f"{name} must be {bound}, got {value:g}")
    return torch.tensor(float(value))
