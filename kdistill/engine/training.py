"""Training: all that changes while a model is trained, which is what a resume point holds."""

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel
from torch.utils._pytree import tree_map_only

from kdistill import ranks
from kdistill.data.batch import Stream
from kdistill.engine.best import Best
from kdistill.engine.objective import Objective
from kdistill.engine.process import Process
from kdistill.engine.terms import Terms
from kdistill.signals.signals import Answers


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
        return {
            "weights": whole(self.trained.state_dict()),
            "optimizer": whole(self.optimizer.state_dict()),
            "parts": {name: part.state_dict() for name, part in self._parts.items()},
            "random": ranks.gathered(self.process.random_state()),
            "epoch": self.epoch,
            "step": self.step,
            "seconds": seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from `state`: exactly where the run has as many processes as then."""
        self.epoch, self.step = int(state["epoch"]), int(state["step"])
        self.seconds = float(state["seconds"])
        own = self.trained.state_dict()
        self.trained.load_state_dict(
            {name: sharded(value, own[name]) for name, value in state["weights"].items()}
        )
        trained = [each for group in self.optimizer.param_groups for each in group["params"]]
        moments = state["optimizer"]["state"]
        for at, named in moments.items():
            moments[at] = {name: sharded(value, trained[at]) for name, value in named.items()}
        self.optimizer.load_state_dict(state["optimizer"])
        for name, part in self._parts.items():
            if state["parts"][name]:  # a scaler that was of no use has nothing
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
            self.objective.load_state_dict(whole(self.trained.state_dict()))
        return self.objective.student


def whole(state: Any) -> Any:
    """`state` with every sharded tensor gathered; every process of the run must call this."""
    if ranks.world() == 1:
        return state
    from torch.distributed.tensor import DTensor  # seconds of imports

    return tree_map_only(DTensor, lambda each: each.full_tensor(), state)


def sharded(value: Any, like: Tensor) -> Any:
    """This process' shard of a whole tensor where `like`, of the same shape, is sharded."""
    if ranks.world() == 1:
        return value
    from torch.distributed.tensor import DTensor, distribute_tensor

    if isinstance(like, DTensor) and isinstance(value, Tensor) and value.shape == like.shape:
        return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)
    return value
