"""Specialists: a generalist, and networks for the classes it confuses (Hinton et al. 2015, 5)."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from torch import nn

from kdistill import ranks
from kdistill.artifacts.cache_lock import cache_lock
from kdistill.artifacts.files import fingerprint, write_json
from kdistill.artifacts.result import Table
from kdistill.artifacts.text import read_json
from kdistill.config.build import build
from kdistill.config.sources import source_hashes
from kdistill.data.batch import Batch, Dataset
from kdistill.data.randomness import derived
from kdistill.data.specialty import Specialty
from kdistill.engine.fit import Fit
from kdistill.engine.predict import predict
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.events import StageEnded, StageStarted
from kdistill.signals.signal import Signal
from kdistill.signals.signals import Signals
from kdistill.teachers.clusters import cluster_classes
from kdistill.teachers.network import NetworkTeacher
from kdistill.teachers.side_by_side import check_workers, prepare_all
from kdistill.teachers.specialised import Specialised, Voice, correction_of
from kdistill.teachers.specialist import Specialist
from kdistill.teachers.specialist_tables import specialist_tables
from kdistill.teachers.teacher import Context, Training, ask_frozen, freeze


class Specialists:
    """model, loss, fit, augmentation, seed, weights: of the generalist, as for NetworkTeacher.

    clusters >= 2: how many sets of classes are looked for in its predictions; size: classes of each
    set, which may then overlap, or None: every class is in one set; cluster_temperature > 0 of the
    predictions: above 1 shows what a sure generalist confuses. specialist_fit: how the
    specialists are trained; full_softmax: see Specialist. active >= 1: so many of the generalist's
    most probable classes choose the specialists that are asked; solver: em | gradient.
    workers, executor: as for an Ensemble.
    """

    members: Sequence[nn.Module] = ()  # on their own, specialists answer other questions

    def __init__(
        self,
        model: Mapping[str, Any],
        loss: Mapping[str, Any],
        fit: Mapping[str, Any],
        specialist_fit: Mapping[str, Any],
        clusters: int,
        size: int | None = None,
        cluster_temperature: float = 1.0,
        active: int = 1,
        full_softmax: float | None = None,
        solver: Literal["em", "gradient"] = "em",
        augmentation: Sequence[Mapping[str, Any]] = (),
        seed: int = 0,
        weights: str | None = None,
        workers: int = 1,
        executor: Mapping[str, Any] | None = None,
    ) -> None:
        for name, value, low in (
            ("clusters", clusters, 2),
            ("size", size, 1),
            ("active", active, 1),
        ):
            if value is not None and value < low:
                raise ValueError(f"{name} must be >= {low}, got {value}")
        for name, above_0 in (
            ("cluster_temperature", cluster_temperature),
            ("full_softmax", full_softmax),
        ):
            if above_0 is not None and not above_0 > 0:
                raise ValueError(f"{name} must be > 0, got {above_0:g}")
        if solver not in ("em", "gradient"):
            raise ValueError(f"solver must be em or gradient, got {solver}")
        check_workers(workers, executor)
        self.generalist = NetworkTeacher(
            model, loss, fit, augmentation, seed, weights, stage="teacher generalist"
        )
        self.specialist_fit, self.clusters, self.size = specialist_fit, clusters, size
        self.cluster_temperature = cluster_temperature
        self.active, self.full_softmax, self.solver = active, full_softmax, solver
        self.seed, self.workers, self.executor = seed, workers, executor
        self.hash: str | None = None

    def prepare(self, context: Context) -> None:
        """Load or train the generalist, divide the classes, load or train the specialists."""
        self._check(context)
        dataset, self.process = context.dataset, context.process
        self.classes = dataset.classes
        self.generalist.prepare(context)
        self.specialists = self._of(ranks.decided(lambda: self._sets(context)))
        prepare_all(self.specialists, context, self.workers, self.executor)
        count = len(dataset.classes)
        voices = [
            Voice(each.network, each.specialty, count, correction_of(each.specialty.share(dataset)))
            for each in self.specialists
        ]
        self.network = Specialised(self.generalist.network, voices, self.active, self.solver)
        freeze(self.network).to(context.process.device)
        self.hash = self._name(dataset.fingerprint, context.process.precision)

    def _check(self, context: Context) -> None:
        """UserError, before anything is trained, for numbers that these data cannot have."""
        count = len(context.dataset.classes)
        for name, value, high in (
            ("clusters", self.clusters, count),
            ("size", self.size, count - 1),
            ("active", self.active, count),
        ):
            if value is not None and value > high:
                raise UserError(
                    f"teacher.{name} must be <= {high} for {count} classes, got {value}"
                )
        if context.dataset.train.targets is None:
            raise UserError("teacher: specialists learn from labels; give a labelled training set")
        fit = build(self.specialist_fit, roles=(Fit,), key="teacher.specialist_fit")
        fit.check(len(context.dataset.validation) > 0, context.task.validated)

    def _sets(self, context: Context) -> list[tuple[int, ...]]:
        """The clusters, from the cache or from what the generalist says of the training set."""
        data, process = context.dataset, context.process
        file = self._clusters_file(data.fingerprint, process.precision, context.cache)
        if (kept := _kept(file)) is not None:
            return kept
        started = time.monotonic()
        context.listener(StageStarted("teacher clusters"))
        said = predict(self.generalist.network, data.train, process) / self.cluster_temperature
        sets = cluster_classes(said.softmax(dim=1), self.clusters, self.seed, self.size)
        took = time.monotonic() - started
        if file:
            about = {"description": f"{len(sets)} sets of the classes of {data.name}", "sets": sets}
            created = time.strftime("%Y-%m-%dT%H:%M:%S%z")
            with cache_lock(file.parent):
                write_json(file, {**about, "seconds": took, "created": created})
        sizes = ", ".join(str(len(each)) for each in sets)
        context.listener(StageEnded("teacher clusters", took, note=f"sets of {sizes} classes"))
        return sets

    def _clusters_file(self, data: str, precision: str, cache: Path | None) -> Path | None:
        name = self.generalist.name(data, precision)
        how = self.clusters, self.size, self.cluster_temperature, self.seed
        code = source_hashes(modules=[cluster_classes.__module__])
        found = fingerprint(name, code, data, precision, *how)
        return cache / "clusters" / found / "clusters.json" if cache else None

    def _of(self, sets: Sequence[Sequence[int]]) -> list[Specialist]:
        return [
            Specialist(
                self.generalist,
                Specialty(tuple(classes), dustbin=self.full_softmax is None),
                self.specialist_fit,
                self.full_softmax,
                seed=derived(self.seed, f"specialist {place}"),
                stage=_stage(place, len(sets)),
            )
            for place, classes in enumerate(sets, start=1)
        ]

    def _name(self, data: str, precision: str) -> str:
        """The hash of the networks' hashes and of how they answer together."""
        of_all = [each.name(data, precision) for each in (self.generalist, *self.specialists)]
        code = source_hashes(modules=[type(self).__module__])
        return fingerprint("specialists", code, self.active, self.solver, of_all)

    def trainings(self, data: str | None, precision: str, cache: Path | None) -> list[Training]:
        """The generalist's and those of the specialists, as many as there will be clusters."""
        first = self.generalist.trainings(data, precision, cache)
        kept = _kept(self._clusters_file(data, precision, cache)) if data else None
        if kept is None or data is None:
            self.hash = None  # nobody knows the clusters yet
            epochs: int = build(
                self.specialist_fit, roles=(Fit,), key="teacher.specialist_fit"
            ).epochs
            made = partial(Training, model=self.generalist.model, epochs=epochs, reused=False)
            stages = [_stage(place, self.clusters) for place in range(1, self.clusters + 1)]
            return first + [made(stage, what=f"{epochs} epochs") for stage in stages]
        self.specialists = self._of(kept)
        self.hash = self._name(data, precision)
        rest = [each.trainings(data, precision, cache)[0] for each in self.specialists]
        return first + rest

    def answer(self, batch: Batch, needs: frozenset[Signal]) -> Signals:
        return ask_frozen(self.network, batch, self.process, needs)

    def tables(self, dataset: Dataset, process: Process) -> list[Table]:
        """The clusters, Hinton's table by number of specialists, and the three ways to answer."""
        return specialist_tables(self.network, dataset, process)

    def reference(self) -> dict[str, object]:
        return {
            "kind": "specialists",
            "hash": self.hash,
            "generalist": self.generalist.reference(),
            "specialists": [
                {**each.reference(), "classes": [self.classes[c] for c in each.specialty.classes]}
                for each in self.specialists
            ],
        }


def _stage(place: int, count: int) -> str:
    return f"teacher specialist {place}/{count}"


def _kept(file: Path | None) -> list[tuple[int, ...]] | None:
    """The stored clusters; None where there are none, or none that can be read."""
    if file is None or not file.is_file():
        return None
    try:
        return [tuple(map(int, each)) for each in read_json(file)["sets"]]
    except (UserError, KeyError, TypeError, ValueError):
        return None
