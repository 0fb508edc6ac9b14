"""What every loss is: an nn.Module that says what it needs and returns named terms."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from kdistill.data.batch import Batch
from kdistill.data.tree import single
from kdistill.signals.signal import ANSWER, Signal
from kdistill.signals.signals import Signals

Shapes = Mapping[Signal, torch.Size]  # of what a model answers with, batch excluded


class Loss(nn.Module):
    """Compare what the student said with what the teacher said, as docs/losses.md weighs them.

    A subclass overrides the facts below where they differ and defines
    `forward(student, teacher, batch)`, which returns scalar terms by name; the term "total" is
    what is minimised, the others are logged. Whatever a loss trains itself is made in `bind`.
    """

    student_needs: frozenset[Signal] = frozenset({ANSWER})
    teacher_needs: frozenset[Signal] = frozenset({ANSWER})  # empty: no teacher is asked
    # kinds of answer that its formula is about, of "classes" and "density"; empty: any
    compares: frozenset[str] = frozenset({"classes"})
    needs_targets: bool = False
    needs_samples: bool = False  # of the student in every batch: Batch.sampled says which rows
    double_backward: bool = False  # whether it differentiates the student before the training does
    # which of tests/laws/ it obeys; a law it does not list must fail for it
    laws: ClassVar[frozenset[str]] = frozenset()

    def bind(self, student: Shapes, teacher: Shapes) -> None:
        """Make what this loss trains, from the shapes of both models' signals."""

    def forward(self, student: Signals, teacher: Signals | None, batch: Batch) -> dict[str, Tensor]:
        raise NotImplementedError(f"{type(self).__name__} defines no forward")


def compares_logits(loss: Loss) -> bool:
    """Whether the logits of a teacher, and nothing else of it, are enough."""
    return loss.teacher_needs == {ANSWER} and "classes" in loss.compares


def signal_of(signals: Signals | None, signal: Signal) -> Tensor:
    """That signal [batch, ...]; TypeError where a model was not asked for it."""
    return (signals or Signals())[signal]


def logits_of(signals: Signals | None) -> Tensor:
    """Logits [batch, classes]; TypeError where a model was not asked for its answer."""
    return signal_of(signals, ANSWER)


def log_density_of(signals: Signals | None) -> Tensor:
    """log p(x) [batch]; TypeError where a model was not asked for its answer."""
    return signal_of(signals, ANSWER)


def from_stream(values: Tensor, batch: Batch) -> Tensor:
    """The rows of `values` [batch, ...] that the stream gave."""
    return values if batch.sampled is None else values[~batch.sampled]


def from_student(values: Tensor, batch: Batch) -> Tensor:
    """The rows of `values` [batch, ...] that are samples of the student; TypeError without any."""
    if batch.sampled is None:
        raise TypeError("the batch has no samples of the student; say so by needs_samples")
    return values[batch.sampled]


def targets_of(batch: Batch) -> Tensor:
    """The targets [batch, ...], one array; TypeError for a batch without, or with several."""
    if batch.targets is None:
        raise TypeError("the batch has no targets; say so by needs_targets")
    return single(batch.targets)


def averaged(values: Tensor, batch: Batch) -> Tensor:
    """The mean of `values` [batch, *positions, ...] over what counts: everything, or under
    `batch.mask` the positions that it names; 0 where it names none.

    >>> batch = Batch(torch.zeros(2, 3), mask=torch.tensor([[True, True], [True, False]]))
    >>> averaged(torch.tensor([[1.0, 2.0], [6.0, 100.0]]), batch)
    tensor(3.)
    """
    mask = batch.mask
    if mask is None:
        return values.mean()
    if values.dim() > mask.dim():
        values = values.flatten(mask.dim()).mean(dim=-1)
    return torch.where(mask, values, 0.0).sum() / mask.sum().clamp_min(1)


def number(name: str, value: float, low: float, above: bool = False) -> Tensor:
    """`value` as a scalar for a buffer; ValueError unless value >= low (> low if `above`)."""
    if not (value > low if above else value >= low) or value == float("inf"):
        bound = f"{'>' if above else '>='} {low:g}" if value != float("inf") else "finite"
        raise ValueError(f"{name} must be {bound}, got {value:g}")
    return torch.tensor(float(value))
