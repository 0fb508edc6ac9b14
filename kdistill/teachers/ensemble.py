"""Ensemble: networks that differ in seed (and, if asked, in data or architecture) answer as one.

Hinton, Vinyals & Dean 2015, section 3: the members' distributions are combined by the arithmetic
or the geometric mean; the temperature is applied to the result. See Task.together.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from kdistill.artifacts.files import fingerprint
from kdistill.config.sources import source_hashes
from kdistill.data.batch import Batch
from kdistill.engine.process import Process
from kdistill.signals.signal import Signal
from kdistill.signals.signals import Signals
from kdistill.teachers.network import NetworkTeacher
from kdistill.teachers.side_by_side import check_workers, prepare_all
from kdistill.teachers.teacher import Context, Training, ask_frozen, freeze

COMBINATIONS = ("arithmetic", "geometric")


class Ensemble:
    """`members` networks trained by the same recipe with seeds of their own.

    combine: arithmetic | geometric; bootstrap: each member trains on a resample of its own;
    architectures: model configs that take turns over the members, instead of `model`; workers:
    members trained at a time (>= 1), each in a process with as many threads as its share is;
    executor: the config of what trains them elsewhere, see kdistill.teachers.executors.
    """

    def __init__(
        self,
        members: int,
        combine: str,
        model: Mapping[str, Any],
        loss: Mapping[str, Any],
        fit: Mapping[str, Any],
        augmentation: Sequence[Mapping[str, Any]] = (),
        seed: int = 0,
        bootstrap: bool = False,
        architectures: Sequence[Mapping[str, Any]] = (),
        workers: int = 1,
        executor: Mapping[str, Any] | None = None,
    ) -> None:
        if members < 1:
            raise ValueError(f"members must be >= 1, got {members}")
        if combine not in COMBINATIONS:
            raise ValueError(f"combine must be arithmetic or geometric, got {combine}")
        check_workers(workers, executor)
        self.combine, self.workers, self.executor = combine, workers, executor
        models = architectures or [model]
        self.teachers = [
            NetworkTeacher(
                models[number % len(models)],
                loss,
                fit,
                augmentation,
                seed=1000 * seed + number,
                bootstrap=bootstrap,
                stage=f"teacher {number + 1}/{members}",
            )
            for number in range(members)
        ]
        self.hash: str | None = None

    def prepare(self, context: Context) -> None:
        """Load or train the members; what is in the cache is not trained again."""
        self.process: Process = context.process
        prepare_all(self.teachers, context, self.workers, self.executor)
        self.members: Sequence[nn.Module] = [teacher.network for teacher in self.teachers]
        whole = context.task.together(self.members, self.combine)
        self.network = freeze(whole).to(context.process.device)
        self.hash = self.name(context.dataset.fingerprint, context.process.precision)

    def name(self, data: str, precision: str) -> str:
        """The hash of the members' hashes and of how they are combined."""
        names = [each.name(data, precision) for each in self.teachers]
        return fingerprint(self.combine, source_hashes(modules=[type(self).__module__]), names)

    def trainings(self, data: str | None, precision: str, cache: Path | None) -> list[Training]:
        """Those of every member."""
        self.hash = self.name(data, precision) if data else None
        return [
            each for teacher in self.teachers for each in teacher.trainings(data, precision, cache)
        ]

    def answer(self, batch: Batch, needs: frozenset[Signal]) -> Signals:
        return ask_frozen(self.network, batch, self.process, needs)

    def reference(self) -> dict[str, object]:
        members = [teacher.reference() for teacher in self.teachers]
        return {"kind": "ensemble", "hash": self.hash, "combine": self.combine, "members": members}
