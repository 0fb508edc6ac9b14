"""HeldOut: what a teacher says of the validation and the test set, asked once for a whole sweep."""

import time
from pathlib import Path

import torch
from torch import Tensor, nn

from kdistill.artifacts.arrays import read_tensors
from kdistill.artifacts.cache_lock import cache_lock
from kdistill.artifacts.environment import versions
from kdistill.artifacts.files import fingerprint, write_tensors
from kdistill.data.batch import Dataset
from kdistill.engine.predict import predict
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.events import Warned
from kdistill.signals.signal import ANSWER
from kdistill.signals.store import describe
from kdistill.tasks.task import Part
from kdistill.teachers.teacher import Context, Teacher


class HeldOut:
    """Answers [n, ...] of a prepared teacher, and of each of its members.

    They are kept in the context's cache under the teacher's hash and the weights of who was asked,
    and in memory; damaged ones are told and asked for again. UserError for NaN.
    """

    def __init__(self, teacher: Teacher | None, context: Context) -> None:
        self._teacher, self._context = teacher, context
        self._known: dict[tuple[int, Part], Tensor] = {}
        self._seconds: dict[Part, float] = {"validation": 0.0, "test": 0.0}  # that asking took

    def teacher(self, part: Part) -> Tensor:
        """Of the teacher."""
        assert self._teacher
        return self._said(self._teacher.network, part)

    def members(self, part: Part) -> list[Tensor]:
        """Of each of the networks that it combines."""
        members = self._teacher.members if self._teacher else ()
        return [self._said(member, part) for member in members]

    def _said(self, network: nn.Module, part: Part) -> Tensor:
        key = id(network), part
        if key not in self._known:
            self._known[key] = self._kept(network, part)
        return self._known[key]

    def _kept(self, network: nn.Module, part: Part) -> Tensor:
        context, teacher = self._context, self._teacher
        data, cache, precision = context.dataset, context.cache, context.process.precision
        if not (cache and teacher and teacher.hash and data.fingerprint):
            return self._asked(network, part)
        name = fingerprint(teacher.hash, data.fingerprint, part, precision)
        folder, weights = cache / "answers" / name, network.state_dict()
        file = folder / f"{fingerprint([*weights], *weights.values(), versions())}.safetensors"
        with cache_lock(folder):
            if file.is_file():
                try:
                    return self._stored(network, file, part)
                except (UserError, KeyError) as error:
                    told = f"the teacher is asked about the {part} set again ({error})"
                    context.listener(Warned(told))
            started, said = time.monotonic(), self._asked(network, part)
            write_tensors(file, {ANSWER.name: said})
            self._seconds[part] += time.monotonic() - started
            describe(folder, f"{data.name}, {part} set", self._seconds[part])
        return said

    def _stored(self, network: nn.Module, file: Path, part: Part) -> Tensor:
        said, data = read_tensors(file)[ANSWER.name], self._context.dataset
        if len(said) != len(getattr(data, part)) or said.isnan().any():
            raise UserError(f"{file}: damaged; it does not hold answers about the {part} set")
        if len(said):
            two = said[torch.zeros(2, dtype=torch.int64)]
            self._context.task.check_model(network, two)
        return said

    def _asked(self, network: nn.Module, part: Part) -> Tensor:
        examples = getattr(self._context.dataset, part)
        said = predict(network, examples, self._context.process)
        if said.isnan().any():
            raise UserError(
                f"teacher: its answers about the {part} set are NaN; lower its learning rate, or "
                "give other teacher.weights"
            )
        return said


def asked(name: str, network: nn.Module, dataset: Dataset, part: Part, process: Process) -> Tensor:
    """The answers of a student [n, ...] about that part; UserError, naming it, for NaN."""
    answer = predict(network, getattr(dataset, part), process)
    if answer.isnan().any():
        raise UserError(
            f"{name}: its answers about the {part} set are NaN; lower the learning rate"
        )
    return answer
