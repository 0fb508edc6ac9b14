"""Fit: the one training loop, for teachers, students and baselines."""

import math
import time
from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from kdistill.config.build import build
from kdistill.data.batch import Stream
from kdistill.engine.objective import Objective, trainable
from kdistill.engine.process import Process
from kdistill.engine.terms import Terms
from kdistill.errors import UserError
from kdistill.events import EpochEnded, Listener, Progress, StageEnded, StageStarted
from kdistill.signals.signals import Answers

Validate = Callable[[nn.Module], dict[str, float]]
State = dict[str, Tensor]


class Fit:
    """How long and how to train. `optimizer` and `scheduler` are configs, built for each training.

    epochs, batch_size >= 1; interval "step" | "epoch": when the scheduler steps; clip: largest norm
    of the gradients of everything trained, or None; average: decay in (0, 1) of an exponential
    moving average of the weights, which is then what is validated and kept, or None; keep "last" |
    "best" on `monitor` (a validation measure, lower is better); patience: stop after so many epochs
    without a new best (the best is then kept), or None.
    """

    def __init__(
        self,
        epochs: int,
        batch_size: int,
        optimizer: Mapping[str, Any],
        scheduler: Mapping[str, Any] | None = None,
        interval: str = "step",
        clip: float | None = None,
        average: float | None = None,
        keep: str = "last",
        monitor: str = "errors",
        patience: int | None = None,
    ) -> None:
        for name, value in (("epochs", epochs), ("batch_size", batch_size)):
            if value < 1:
                raise ValueError(f"{name} must be >= 1, got {value}")
        if interval not in ("step", "epoch"):
            raise ValueError(f"interval must be step or epoch, got {interval}")
        if keep not in ("last", "best"):
            raise ValueError(f"keep must be last or best, got {keep}")
        if clip is not None and clip <= 0:
            raise ValueError(f"clip must be > 0, got {clip:g}")
        if average is not None and not 0 < average < 1:
            raise ValueError(f"average must be between 0 and 1, got {average:g}")
        if patience is not None and patience < 1:
            raise ValueError(f"patience must be >= 1, got {patience}")
        self.epochs, self.batch_size = epochs, batch_size
        self.optimizer, self.scheduler, self.interval = optimizer, scheduler, interval
        self.clip, self.average = clip, average
        self.keep = "best" if patience else keep
        self.monitor, self.patience = monitor, patience

    def __call__(
        self,
        objective: Objective,
        stream: Stream,
        teacher: Answers | None,
        process: Process,
        validate: Validate,
        *,
        stage: str,
        seed: int,
        listener: Listener,
    ) -> nn.Module:
        """Train `objective.student` on `stream` and return it, on the device, in eval mode.

        Raises Diverged when a loss term is not finite.
        """
        torch.manual_seed(seed)  # dropout; the order of the data has its own
        started = time.monotonic()
        process.place(objective.student)
        objective.loss.to(process.device)
        optimizer, scheduler, scaler = *self.optimizer_for(objective, len(stream)), process.scaler()
        averaged = self._averaged(objective.student)
        best = Best(self.monitor)
        needs = objective.loss.teacher_needs
        listener(StageStarted(stage, steps=self.epochs * len(stream)))
        for epoch in range(self.epochs):
            objective.train()
            epoch_started, first = time.monotonic(), epoch * len(stream)
            terms = Terms(stage, first)
            for step, batch in enumerate(islice(stream, len(stream)), first):
                answers = teacher.answer(batch, needs) if teacher and needs else None
                with process.autocast():
                    losses = objective(batch, answers)
                scaler.scale(losses["total"]).backward()
                if self.clip:
                    scaler.unscale_(optimizer)
                    nn.utils.clip_grad_norm_(trainable(objective), self.clip)
                terms.add(losses, len(batch), optimizer.param_groups[0]["lr"])
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad(set_to_none=True)
                objective.constrain()
                if averaged:
                    averaged.update_parameters(objective.student)
                if scheduler and self.interval == "step":
                    scheduler.step()
                listener(Progress(stage, step + 1))
            means = terms.means()
            measured = validate(averaged.module if averaged else objective.student)
            self._end_epoch(scheduler, measured)
            best.offer(averaged.module if averaged else objective.student, measured, self.keep)
            rate, seconds = optimizer.param_groups[0]["lr"], time.monotonic() - epoch_started
            listener(EpochEnded(stage, epoch + 1, self.epochs, means, measured, rate, seconds))
            if self.patience and best.age >= self.patience:
                break
        if averaged:
            objective.student.load_state_dict(averaged.module.state_dict())
        if self.keep == "best" and best.state is not None:
            objective.student.load_state_dict(best.state)
        listener(
            StageEnded(stage, time.monotonic() - started, note=best.note(self.keep, epoch + 1))
        )
        return objective.student.eval()

    def check(self, validation: bool, measured: Collection[str]) -> None:
        """UserError when it wants validation data that are not there, or an unknown measure."""
        plateau = "ReduceLROnPlateau" in (self.scheduler or {}).get("_target_", "")
        if plateau and self.interval == "step":
            raise UserError("fit.interval must be epoch for ReduceLROnPlateau")
        if (plateau or self.keep == "best") and not validation:
            raise UserError(
                "fit.keep=best, fit.patience and ReduceLROnPlateau look at validation data, and "
                "there are none; set dataset.validation"
            )
        if self.monitor not in measured:
            known = ", ".join(measured)
            raise UserError(f"fit.monitor={self.monitor} is not measured; choose from {known}")

    def optimizer_for(
        self, objective: Objective, steps: int
    ) -> tuple[torch.optim.Optimizer, LRScheduler | None]:
        """The optimizer, and the scheduler told how many steps there will be."""
        optimizer = build(self.optimizer, list(trainable(objective)), key="fit.optimizer")
        if self.scheduler is None:
            return optimizer, None
        total = self.epochs * (steps if self.interval == "step" else 1)
        offered = dict.fromkeys(("total_steps", "T_max", "total_iters"), total)
        return optimizer, build(self.scheduler, optimizer, offered=offered, key="fit.scheduler")

    def _averaged(self, student: nn.Module) -> AveragedModel | None:
        if self.average is None:
            return None
        average = get_ema_multi_avg_fn(self.average)  # type: ignore[no-untyped-call]
        return AveragedModel(student, multi_avg_fn=average, use_buffers=True)

    def _end_epoch(self, scheduler: LRScheduler | None, measured: Mapping[str, float]) -> None:
        if scheduler is None or self.interval == "step":
            return
        if isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step(measured.get(self.monitor, math.inf))
        else:
            scheduler.step()


class Best:
    """The weights with the lowest `monitor` on validation, and how many epochs ago they came."""

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor
        self.value, self.epoch, self.age = math.inf, 0, 0
        self.state: State | None = None

    def offer(self, student: nn.Module, measured: Mapping[str, float], keep: str) -> None:
        """Look at one epoch's validation; the weights are copied only if they may be kept."""
        self.age += 1
        if measured and measured[self.monitor] < self.value:
            self.value, self.epoch, self.age = measured[self.monitor], self.epoch + self.age, 0
            if keep == "best":
                self.state = deepcopy(student.state_dict())

    def note(self, keep: str, epochs: int) -> str:
        """One sentence on which weights were kept."""
        if self.value == math.inf:
            return f"{epochs} epochs"
        kept = "kept" if keep == "best" else "the last weights kept"
        value = f"best validation {self.monitor} {self.value:g} at {self.epoch}"
        return f"{epochs} epochs; {value}, {kept}"
