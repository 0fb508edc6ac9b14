"""NetworkTeacher: one network, trained here and kept for every later run, or loaded from a file."""

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kdistill import ranks
from kdistill.artifacts.cache_lock import cache_lock
from kdistill.artifacts.environment import versions
from kdistill.artifacts.files import (
    fingerprint,
    finite,
    write_json,
    write_tensors,
)
from kdistill.artifacts.records import read_seconds
from kdistill.artifacts.weights import load_weights, read_weights, student_config
from kdistill.config.build import build
from kdistill.config.sources import source_hashes
from kdistill.data.augmentation import Augmentation
from kdistill.data.batch import Batch, Dataset, Examples
from kdistill.data.streams import EpochStream
from kdistill.engine import stop
from kdistill.engine.binding import bind
from kdistill.engine.fit import Fit, Validate
from kdistill.engine.objective import Objective
from kdistill.engine.predict import validator
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.events import Listener, StageEnded, Warned
from kdistill.losses.loss import Loss
from kdistill.models.network import make_network
from kdistill.signals.signal import Signal
from kdistill.signals.signals import Answers, Signals
from kdistill.tasks.task import Task
from kdistill.teachers.teacher import Context, Training, ask_frozen, freeze


class NetworkTeacher:
    """Configs model, loss, fit and augmentation say how it is trained; `seed` names this one.

    weights: a .safetensors or .pt file of the model's state, or a run folder whose student becomes
    the teacher (then `model` is read from there); null trains. bootstrap: train on a resample with
    replacement, of the same size.
    """

    members: Sequence[nn.Module] = ()
    fit_key = "teacher.fit"

    def __init__(
        self,
        model: Mapping[str, Any],
        loss: Mapping[str, Any],
        fit: Mapping[str, Any],
        augmentation: Sequence[Mapping[str, Any]] = (),
        seed: int = 0,
        weights: str | None = None,
        bootstrap: bool = False,
        stage: str = "teacher",
    ) -> None:
        self.weights = Path(weights) if weights else None
        self._model = dict(model)
        self.loss, self.fit, self.augmentation = loss, fit, augmentation
        self.seed, self.bootstrap, self.stage = seed, bootstrap, stage
        self.hash: str | None = None
        self._names: dict[tuple[str, str], str] = {}

    @cached_property
    def model(self) -> dict[str, Any]:
        """The config of the network: that of the run folder in `weights`, else the one given."""
        return (self.weights and student_config(self.weights)) or self._model

    def prepare(self, context: Context) -> None:
        """Load the weights from the file or the cache, or train and store them there."""
        self.process = context.process
        self.network = self.made(context.dataset, context.task, self.seed)
        self.hash = self.name(context.dataset.fingerprint, context.process.precision)
        if self.weights:
            load_weights(self.network, read_weights(self.weights), str(self.weights))
            context.listener(StageEnded(self.stage, 0.0, True, f"loaded from {self.weights}"))
        else:
            self._reuse_or_train(context)
        freeze(self.network).to(self.process.device)

    def made(self, dataset: Dataset, task: Task, seed: int) -> nn.Module:
        """The network that is trained, with its first weights."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            held = read_weights(self.weights) if self.weights else None
            return make_network(
                self.model, dataset.inputs, task.offers(), task.check_model, "teacher.model", held
            )

    def __getstate__(self) -> dict[str, Any]:
        """As it is sent to another process: configs and names alone."""
        return {k: v for k, v in vars(self).items() if k not in ("network", "process")}

    def name(self, data: str, precision: str) -> str:
        """The hash of everything that these weights depend on, as it was when first asked.

        Sources may be edited while it is trained.
        """
        if (data, precision) not in self._names:
            self._names[data, precision] = self._name(data, precision)
        return self._names[data, precision]

    def _name(self, data: str, precision: str) -> str:
        if self.weights:
            state, code = read_weights(self.weights), self.code(self.model)
            return fingerprint(self.model, code, *(state[k] for k in sorted(state)))
        recipe = [self.model, self.loss, self.fit, self.augmentation]
        how = self.seed, self.bootstrap, data, precision, versions()
        return fingerprint(recipe, self.code(*recipe), *how)

    def code(self, *configs: Any) -> dict[str, str]:
        """Hashes of the source behind `configs` and behind this teacher."""
        return source_hashes(*configs, modules=[type(self).__module__])

    def trainings(self, data: str | None, precision: str, cache: Path | None) -> list[Training]:
        """The one network: loaded, reused or trained."""
        self.hash = self.name(data, precision) if data else None
        if self.weights:
            return [Training(self.stage, self.model, 0, True, f"loaded from {self.weights}")]
        epochs: int = build(self.fit, roles=(Fit,), key=self.fit_key).epochs
        folder = self.stored(cache)
        reused = folder is not None and (folder / "teacher.json").is_file()
        return [Training(self.stage, self.model, epochs, reused, f"{epochs} epochs")]

    def stored(self, cache: Path | None) -> Path | None:
        """The folder in the cache that holds, or will hold, the weights."""
        return cache / "teachers" / self.hash if cache and self.hash else None

    def _reuse_or_train(self, context: Context) -> None:
        folder = self.stored(context.cache)
        if folder is None:
            self._train(context)
            return
        lock = cache_lock(folder)
        # jobs of a sweep side by side: one trains, the others wait
        with lock if ranks.first() else nullcontext():
            kept = ranks.decided((folder / "teacher.json").is_file)
            if kept and self._reused(folder, context.listener):
                return
            started = time.monotonic()
            with stop.deferred():
                self._train(context)
                if ranks.first():
                    self._keep(folder, context.dataset.name, time.monotonic() - started)
                if resume := context.resume_point(self.stage):
                    resume.remove()

    def _keep(self, folder: Path, data: str, seconds: float) -> None:
        write_tensors(folder / "weights.safetensors", self.network.state_dict())
        about = {"description": self.describe(data), "seconds": seconds}
        created = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        about = finite({**about, "created": created, "model": self.model})
        write_json(folder / "teacher.json", about)

    def _reused(self, folder: Path, listener: Listener) -> bool:
        """Load the stored weights; False, with a warning, when they are damaged."""
        try:
            state = read_weights(folder / "weights.safetensors")
            load_weights(self.network, state, str(folder))
            took = read_seconds(folder / "teacher.json")
        except (ValueError, LookupError, TypeError) as error:
            listener(Warned(f"a stored teacher is damaged and is trained again ({error})"))
            return False
        listener(StageEnded(self.stage, 0.0, True, f"trained once in {took:.0f} s"))
        return True

    def _train(self, context: Context) -> None:
        dataset, process = context.dataset, context.process
        fit = build(self.fit, roles=(Fit,), key=self.fit_key)
        fit.key = self.fit_key
        fit.check(len(dataset.validation) > 0, context.task.validated)
        loss: Loss = build(self.loss, roles=(Loss,), key="teacher.loss")
        if loss.needs_targets and dataset.train.targets is None:
            raise UserError(
                "teacher.loss: it learns from labels, and the training set has none; give labels, "
                "or a trained teacher by teacher.weights=FILE"
            )
        augmentation: list[Augmentation] = [
            build(each, roles=(Augmentation,), key=f"teacher.augmentation[{place}]")
            for place, each in enumerate(self.augmentation)
        ]
        examples = self._resample(dataset.train) if self.bootstrap else dataset.train
        stream = self.stream(examples, fit.batch_size, process, augmentation)
        objective, teacher = self.objective(loss), self.taught_by(examples, loss, context)
        objective.watch = context.task.watch
        bind(objective, teacher, examples, process, self.seed)
        fit(
            objective,
            stream,
            teacher,
            process,
            self.validator(context),
            stage=self.stage,
            seed=self.seed,
            listener=context.listener,
            resume=context.resume_point(self.stage),
        )

    def stream(
        self,
        examples: Examples,
        batch_size: int,
        process: Process,
        augmentation: Sequence[Augmentation],
    ) -> EpochStream:
        """The inputs of its training."""
        return EpochStream(examples, batch_size, self.seed, process.device, augmentation)

    def objective(self, loss: Loss) -> Objective:
        """What the engine trains."""
        return Objective(self.network, loss)

    def taught_by(self, examples: Examples, loss: Loss, context: Context) -> Answers | None:
        """Who answers while it learns from `examples`: nobody. UserError for a loss that asks, or
        that wants samples of the model."""
        if loss.teacher_needs:
            raise UserError(
                "teacher.loss: it compares with a teacher, and a teacher has none; "
                "use loss@teacher.loss=hard_labels"
            )
        if loss.needs_samples:
            raise UserError(
                "teacher.loss: it learns from samples of the model, which only teacher=rbm draws; "
                "use loss@teacher.loss=likelihood"
            )
        return None

    def validator(self, context: Context) -> Validate:
        """What is measured of it after each epoch."""
        return validator(context.dataset.validation, context.task, context.process)

    def _resample(self, examples: Examples) -> Examples:
        generator = torch.Generator().manual_seed(self.seed)
        return examples.take(torch.randint(len(examples), (len(examples),), generator=generator))

    def describe(self, data: str) -> str:
        """For `kdistill cache list`."""
        return f"{self.model['_target_'].split('.')[-1]} trained on {data}, seed {self.seed}"

    def answer(self, batch: Batch, needs: frozenset[Signal]) -> Signals:
        return ask_frozen(self.network, batch, self.process, needs)

    def reference(self) -> dict[str, object]:
        return {"kind": "network", "hash": self.hash, "model": self.model}
