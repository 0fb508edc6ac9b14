"""What a teacher is, and what it is given to prepare itself with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from kdistill.artifacts.result import Table
from kdistill.data.batch import Batch, Dataset, Examples
from kdistill.engine.process import Process
from kdistill.engine.resume import ResumePoint
from kdistill.events import Event, Listener, Warned
from kdistill.signals.ask import ask
from kdistill.signals.signal import ANSWER, Signal
from kdistill.signals.signals import Signals
from kdistill.signals.store import StoredAnswers, answers_folder
from kdistill.tasks.task import Task

FORWARD_AND_BACKWARD = 3.0  # times the arithmetic of a forward pass


@dataclass(frozen=True)
class Context:
    """The run a teacher prepares itself for."""

    dataset: Dataset
    process: Process
    task: Task
    cache: Path | None  # where trained teachers are shared between runs; None: kept nowhere
    listener: Listener
    resume_point: Callable[[str], ResumePoint | None] = lambda stage: None  # of a training

    def warnings_only(self) -> "Context":
        """The same, for what is to be told nobody but when it goes wrong."""

        def listen(event: Event) -> None:
            if isinstance(event, Warned):
                self.listener(event)

        return replace(self, listener=listen)


@dataclass(frozen=True)
class Training:
    """One network that a teacher would train, or has in the cache."""

    stage: str
    model: dict[str, Any]  # its config
    epochs: int  # 0: loaded from a file
    reused: bool
    what: str  # in words
    passes: float = FORWARD_AND_BACKWARD  # that an input costs in training, in forward passes


class Teacher(Protocol):
    """Asked about batches once `prepare` has trained or loaded it.

    After `prepare`: `network` answers raw inputs with logits; `members` are the networks that an
    ensemble combines (else empty); `hash` names config, data, seed, precision, versions and source,
    or is None when the teacher cannot be named and its answers must not outlive the run.
    """

    hash: str | None
    network: nn.Module
    members: Sequence[nn.Module]

    def prepare(self, context: Context) -> None: ...

    def answer(self, batch: Batch, needs: frozenset[Signal]) -> Signals: ...

    def trainings(self, data: str | None, precision: str, cache: Path | None) -> list[Training]:
        """What `prepare` would do for data of that fingerprint (None: not at hand yet)."""
        ...

    def reference(self) -> dict[str, object]:
        """What the run folder says of it: JSON values."""
        ...


@runtime_checkable
class Tabulated(Protocol):
    """A teacher with figures of its own kind, which the report shows as they are."""

    def tables(self, dataset: Dataset, process: Process) -> list[Table]:
        """Asked once, after training, when the run is measured; may read the test set."""
        ...


def stored_answers(
    teacher: Teacher, examples: Examples, needs: frozenset[Signal], context: Context
) -> StoredAnswers:
    """What a prepared teacher says about `examples`: from the cache, or asked for now."""
    folder = answers_folder(context.cache, teacher.hash, examples, context.process.precision)
    stored = StoredAnswers(teacher, folder, context.process.device)
    stored.collect(examples, needs, context.listener, context.dataset.name)
    return stored


def freeze(network: nn.Module) -> nn.Module:
    """Eval mode (dropout off, BatchNorm on its running statistics) and no gradients, in place."""
    return network.requires_grad_(False).eval()


def ask_frozen(
    network: nn.Module,
    batch: Batch,
    process: Process,
    needs: frozenset[Signal] = frozenset({ANSWER}),
) -> Signals:
    """What a frozen network says, without a graph, in the run's precision."""
    with torch.no_grad(), process.autocast():
        return ask(network, batch, needs)
