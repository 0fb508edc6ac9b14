"""Training: all that changes while a model is trained, which is what a resume point holds."""

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_state_dict,
    set_state_dict,
)
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel

from kdistill import ranks
from kdistill.data.batch import Stream
from kdistill.engine.best import Best
from kdistill.engine.objective import Objective
from kdistill.engine.process import Process
from kdistill.engine.terms import Terms
from kdistill.signals.signals import Answers

WHOLE = StateDictOptions(full_state_dict=True)
ON_FIRST = StateDictOptions(full_state_dict=True, cpu_offload=True)  # the others get nothing


@runtime_checkable
class Live(Protocol):
    """A teacher that changes while it teaches, and therefore is saved with the student."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@dataclass
class Training:
    """One model on its way. `objective` is the caller's, `trained` the same or its sharded copy,
    and `model` what the loop calls: `trained`, or DDP around it."""

    objective: Objective
    trained: Objective
    model: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: LRScheduler | None
    scaler: torch.amp.GradScaler
    averaged: AveragedModel | None
    best: Best
    stream: Stream
    teacher: Answers | None
    terms: Terms
    process: Process
    epoch: int = 0  # whole epochs done
    step: int = 0  # optimizer steps done, in all epochs
    seconds: float = 0.0  # spent before this process took over
    _parts: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        parts = {
            "scheduler": self.scheduler,
            "scaler": self.scaler,
            "averaged": self.averaged,
            "best": self.best,
            "stream": self.stream,
            "teacher": self.teacher if isinstance(self.teacher, Live) else None,
            "terms": self.terms,
        }
        self._parts = {name: part for name, part in parts.items() if part is not None}

    def state_dict(self, seconds: float) -> dict[str, Any]:
        """Tensors, numbers and containers of them alone; every process of the run must call this.

        Weights and moments are whole, on the CPU, and the same for any number of processes.
        """
        weights, moments = get_state_dict(self.trained, self.optimizer, options=ON_FIRST)
        return {
            "weights": weights,
            "moments": moments,
            "parts": {name: part.state_dict() for name, part in self._parts.items()},
            "random": ranks.gathered(self.process.random_state()),
            "epoch": self.epoch,
            "step": self.step,
            "seconds": seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from `state`: exactly where the run has as many processes as then."""
        self.epoch, self.step, self.seconds = state["epoch"], state["step"], state["seconds"]
        set_state_dict(
            self.trained,
            self.optimizer,
            model_state_dict=state["weights"],
            optim_state_dict=state["moments"],
            options=WHOLE,
        )
        for name, part in self._parts.items():
            part.load_state_dict(state["parts"][name])
        if len(state["random"]) == ranks.world():
            self.process.set_random_state(state["random"][ranks.rank()])

    def student(self) -> nn.Module:
        """What is validated and kept: the moving average where there is one; whole, not sharded.

        Every process of the run must call this.
        """
        if self.averaged:
            return self.averaged.module
        if self.trained is not self.objective:
            weights, _ = get_state_dict(self.trained, (), options=WHOLE)
            self.objective.load_state_dict(weights)
        return self.objective.student
