"""Specialist: a copy of the generalist that learns to tell some classes apart.

Hinton, Vinyals & Dean 2015, section 5.2.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from kdistill.artifacts.files import fingerprint
from kdistill.data.augmentation import Augmentation
from kdistill.data.batch import Dataset, Examples
from kdistill.data.halves import HalfStream, halves
from kdistill.data.specialty import Specialty
from kdistill.data.streams import in_order
from kdistill.engine.objective import Objective
from kdistill.engine.predict import BATCH
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.losses.loss import Loss
from kdistill.signals.signal import ANSWER
from kdistill.signals.signals import Answers
from kdistill.tasks.classification import Classification
from kdistill.tasks.task import Task
from kdistill.teachers.full_softmax import FullSoftmax
from kdistill.teachers.network import NetworkTeacher
from kdistill.teachers.teacher import Context, stored_answers


class Specialist(NetworkTeacher):
    """Starts as `generalist`; half of what it sees are examples of its specialty.

    full_softmax: null for a softmax over its classes and a dustbin, else the temperature (> 0) of
    the generalist's soft targets for the other half, with a softmax over all classes.
    """

    fit_key = "teacher.specialist_fit"

    def __init__(
        self,
        generalist: NetworkTeacher,
        specialty: Specialty,
        fit: Mapping[str, Any],
        full_softmax: float | None,
        seed: int,
        stage: str,
    ) -> None:
        model, loss, augmentation = generalist.model, generalist.loss, generalist.augmentation
        super().__init__(model, loss, fit, augmentation, seed=seed, stage=stage)
        self.generalist, self.specialty, self.full_softmax = generalist, specialty, full_softmax

    def prepare(self, context: Context) -> None:
        """As for any network, with its own view of the data."""
        if not hasattr(self.generalist, "network"):  # in another process: it is in the cache
            self.generalist.prepare(context.warnings_only())
        seen, task = self.specialty.seen(context.dataset), copy(context.task)
        Classification.bind(task, seen, taught=True)  # type: ignore[arg-type]
        super().prepare(replace(context, dataset=seen, task=task))

    def _name(self, data: str, precision: str) -> str:
        taught_by = self.generalist.name(data, precision)
        classes = self.specialty.classes
        return fingerprint(super()._name(data, precision), taught_by, classes, self.full_softmax)

    def made(self, dataset: Dataset, task: Task, seed: int) -> nn.Module:
        """With the generalist's weights, see `narrowed`, and a dustbin that wins half the time."""
        network = super().made(dataset, task, seed)
        start, own = self.generalist.network.state_dict(), network.state_dict()
        classes = self.specialty.classes if self.specialty.dustbin else None
        taken = {name: narrowed(name, start, own, classes) for name in own}
        network.load_state_dict(taken)
        if classes:
            shift = dustbin_shift(network, dataset.train, self.specialty)
            for name, weights in taken.items():
                if weights.dim() == 1 and weights.shape != start[name].shape:  # a last layer's bias
                    weights[-1] += shift
            network.load_state_dict(taken)
        return network

    def stream(
        self,
        examples: Examples,
        batch_size: int,
        process: Process,
        augmentation: Sequence[Augmentation],
    ) -> HalfStream:
        """Half its own examples, half others."""
        own = self.specialty.own(examples)
        return HalfStream(examples, own, batch_size, self.seed, process.device, augmentation)

    def objective(self, loss: Loss) -> Objective:
        """The generalist's loss, or that of a full softmax."""
        if self.full_softmax:
            loss = FullSoftmax(self.specialty.classes, self.full_softmax)
        return Objective(self.network, loss)

    def taught_by(self, examples: Examples, loss: Loss, context: Context) -> Answers | None:
        """The generalist, where its soft targets are asked for."""
        if self.full_softmax is None:
            return super().taught_by(examples, loss, context)
        if self.augmentation:
            return self.generalist
        return stored_answers(
            self.generalist, examples, frozenset({ANSWER}), context.warnings_only()
        )

    def describe(self, data: str) -> str:
        return f"{super().describe(data)}, specialist of {len(self.specialty.classes)} classes"


def narrowed(
    name: str,
    start: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    classes: Sequence[int] | None,
) -> Tensor:
    """The weights `name` of a generalist for a specialist of `classes` (None: of all).

    Of the last layer those rows, and for the dustbin the mean of the other classes' rows.
    UserError where the model has another number of outputs elsewhere.
    """
    weights = start[name].cpu()
    if classes is None or weights.shape == own[name].shape:
        return weights
    if weights.shape[1:] != own[name].shape[1:] or len(own[name]) != len(classes) + 1:
        raise UserError(
            f"teacher.model: a specialist takes the rows of the last layer, and {name!r} has the "
            f"shapes {[*weights.shape]} and {[*own[name].shape]} with more or fewer classes"
        )
    rest = torch.ones(len(weights), dtype=torch.bool)
    rest[list(classes)] = False
    return torch.cat([weights[list(classes)], weights[rest].mean(dim=0, keepdim=True)])


def dustbin_shift(network: nn.Module, seen: Examples, specialty: Specialty) -> float:
    """What makes the dustbin the most probable on half of some examples, half of which are in it.

    A mean of rows is far below the logit of the one class among many that an input belongs to, and
    the first steps of the training would be spent on that.
    """
    rows = halves(specialty.own(seen).cpu(), seed=0)[: BATCH // 2].flatten()
    (batch,) = in_order(seen.take(rows), BATCH, torch.device("cpu"))
    with torch.no_grad():
        logits = network.eval()(batch.inputs)
    network.train()
    return float((logits[:, :-1].amax(dim=1) - logits[:, -1]).float().quantile(0.5))
