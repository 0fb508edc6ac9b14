"""RBMTeacher: a restricted Boltzmann machine, trained here by CD or PCD, or read from a file."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kdistill.artifacts.files import fingerprint
from kdistill.artifacts.rbm_file import read_rbm
from kdistill.data.augmentation import Augmentation
from kdistill.data.batch import Batch, Dataset, Examples, Stream
from kdistill.data.spec import shape_of
from kdistill.data.student_samples import WithSamples
from kdistill.data.tree import single
from kdistill.engine.fit import Validate
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.events import StageEnded
from kdistill.losses.loss import Loss
from kdistill.measures.annealing import base_odds
from kdistill.models.abilities import SWEEP
from kdistill.models.network import Network, inner
from kdistill.models.rbm import RBM
from kdistill.tasks.task import Task
from kdistill.teachers.network import NetworkTeacher
from kdistill.teachers.teacher import FORWARD_AND_BACKWARD, Context, Training, freeze


class RBMTeacher(NetworkTeacher):
    """`hidden` >= 1 units, trained with `sweeps` >= 1 of block Gibbs a step.

    chains: 0 begins them at the data of the step (CD-k, Hinton 2002); else so many chains go on
    from step to step (PCD, Tieleman 2008). path: the file of an RBM (see
    kdistill.artifacts.rbm_file), which is then only read.
    """

    def __init__(
        self,
        fit: Mapping[str, Any],
        hidden: int = 500,
        sweeps: int = 25,
        chains: int = 0,
        seed: int = 0,
        path: str | None = None,
    ) -> None:
        for name, value, least in (("sweeps", sweeps, 1), ("chains", chains, 0)):
            if value < least:
                raise ValueError(f"{name} must be >= {least}, got {value}")
        plateau = "ReduceLROnPlateau" in str(fit.get("scheduler"))
        if fit.get("patience") is not None or fit.get("keep") == "best" or plateau:
            raise ValueError(
                "fit.patience, fit.keep=best and ReduceLROnPlateau need a figure after each epoch, "
                "and without log Z an RBM has none"
            )
        model = {"_target_": "kdistill.models.rbm.RBM", "hidden": hidden}
        loss = {"_target_": "kdistill.losses.contrastive_divergence.ContrastiveDivergence"}
        super().__init__(model, loss, fit, seed=seed)
        self.path = Path(path) if path else None
        self.sweeps, self.chains = sweeps, chains

    def made(self, dataset: Dataset, task: Task, seed: int) -> nn.Module:
        """The RBM before training: its visible biases are the log odds of the pixels (Hinton 2010,
        "A practical guide to training RBMs", section 8)."""
        network, data = super().made(dataset, task, seed), dataset.train.inputs
        if not isinstance(data, Tensor) or not len(data):
            raise UserError(
                "teacher: an RBM is trained on data in memory; or give teacher.path=FILE"
            )
        with torch.no_grad():
            inner(network).get_parameter("visible_bias").copy_(base_odds(data > 0))
        return network

    @cached_property
    def _given(self) -> dict[str, Tensor] | None:
        """The weights in the file; None where there is none."""
        return read_rbm(self.path) if self.path else None

    def prepare(self, context: Context) -> None:
        """Read the file, or train, or take from the cache what was trained."""
        self.process, state = context.process, self._given
        if state is None:
            super().prepare(context)
            return
        shape, (visible, hidden) = shape_of(context.dataset.inputs), state["weight"].shape
        if torch.Size(shape).numel() != visible:
            raise UserError(
                f"{self.path}: its RBM has {visible} visible units, and an input of "
                f"{context.dataset.name} has {[*shape]} numbers; use dataset=none, or other data"
            )
        self.hash = self.name(context.dataset.fingerprint, context.process.precision)
        rbm = RBM(hidden, shape)
        rbm.load_state_dict(state)
        self.network = freeze(Network.wrap(rbm)).to(self.process.device)
        context.listener(StageEnded(self.stage, 0.0, True, f"loaded from {self.path}"))

    def _name(self, data: str, precision: str) -> str:
        if state := self._given:
            weights = [state[key] for key in sorted(state)]
            return fingerprint(self.model, self.code(self.model), *weights)
        return fingerprint(super()._name(data, precision), self.sweeps, self.chains)

    def trainings(self, data: str | None, precision: str, cache: Path | None) -> list[Training]:
        """The one RBM: read, reused or trained."""
        if self._given is None:
            (plain,) = super().trainings(data, precision, cache)
            drawn = self.chains / self.fit["batch_size"] if self.chains else 1  # for each datum
            passes = FORWARD_AND_BACKWARD * (1 + drawn) + SWEEP * self.sweeps * drawn
            return [replace(plain, passes=passes)]
        self.hash = self.name(data, precision) if data else None
        model = {**self.model, "hidden": len(self._given["hidden_bias"])}
        return [Training(self.stage, model, 0, True, f"loaded from {self.path}")]

    def stream(  # type: ignore[override]
        self,
        examples: Examples,
        batch_size: int,
        process: Process,
        augmentation: list[Augmentation],
    ) -> Stream:
        """The data, with samples of the model as it then is."""
        data = super().stream(examples, batch_size, process, augmentation)
        model = inner(self.network)
        assert isinstance(model, RBM)
        return WithSamples(data, Chains(model, self.sweeps, self.chains), self.seed)

    def taught_by(self, examples: Examples, loss: Loss, context: Context) -> None:
        """Nobody."""

    def validator(self, context: Context) -> Validate:
        """Nothing: without log Z its log-density of held-out data says nothing."""
        return lambda module: {}

    def reference(self) -> dict[str, object]:
        return {"kind": "rbm", "hash": self.hash, "path": str(self.path) if self.path else None}


class Chains:
    """Block Gibbs of `model`: from the data of each batch, or of `chains` >= 1 that go on."""

    def __init__(self, model: RBM, sweeps: int, chains: int) -> None:
        self.model, self.sweeps, self.chains = model, sweeps, chains
        self._state: Tensor | None = None  # [chains, visible], floats 0 and 1

    def __call__(self, batch: Batch, generator: torch.Generator) -> Tensor:
        start = self._state
        if start is None or not self.chains:
            start = single(batch.inputs).flatten(1)
        if self.chains and self._state is None:  # from as many data as there are, again and again
            start = start.repeat(-(-self.chains // len(start)), 1)[: self.chains]
        drawn = self.model.gibbs(start, generator, self.sweeps)
        self._state = drawn if self.chains else None
        return drawn

    def state_dict(self) -> dict[str, Any]:
        """The chains, as bits."""
        return {"chains": None if self._state is None else self._state.to(torch.uint8).cpu()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """They go on from there."""
        chains = state["chains"]
        device = self.model.weight.device
        self._state = None if chains is None else chains.float().to(device)
