"""Fit: the one training loop, for teachers, students and baselines."""

import math
import time
from collections.abc import Callable, Collection, Mapping
from itertools import islice
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from kdistill import ranks
from kdistill.config.build import build
from kdistill.data.batch import Stream
from kdistill.engine.best import Best
from kdistill.engine.objective import WATCHED, Objective, trainable
from kdistill.engine.process import Process
from kdistill.engine.resume import ResumePoint
from kdistill.engine.terms import Terms
from kdistill.engine.training import Training
from kdistill.errors import UserError
from kdistill.events import EpochEnded, Listener, Progress, StageEnded, StageStarted
from kdistill.signals.signals import Answers

Validate = Callable[[nn.Module], dict[str, float]]


class Fit:
    """How long and how to train. `optimizer` and `scheduler` are configs, built for each training.

    epochs, batch_size >= 1; interval "step" | "epoch": when the scheduler steps; clip: largest norm
    of the gradients of everything trained, or None; average: decay in (0, 1) of an exponential
    moving average of the weights, which is then what is validated and kept, or None; keep "last" |
    "best" on `monitor` (a validation measure, lower is better; None: the first there is); patience:
    stop after so many epochs without a new best (the best is then kept), or None.
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
        monitor: str | None = None,
        patience: int | None = None,
    ) -> None:
        for name, value in (("epochs", epochs), ("batch_size", batch_size)):
            if value < 1:
                raise ValueError(f"{name} must be >= 1, got {value}")
        if interval not in ("step", "epoch"):
            raise ValueError(f"interval must be step or epoch, got {interval}")
        if keep not in ("last", "best"):
            raise ValueError(f"keep must be last or best, got {keep}")
        if clip is not None and not clip > 0:
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
        self.key = "fit"  # where its config stands in the whole, for messages

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
        resume: ResumePoint | None = None,
    ) -> nn.Module:
        """Train `objective.student` on `stream` and return it, on the device, in eval mode.

        Goes on from `resume`, and leaves points there. Raises Diverged when a loss term is not
        finite, Stopped after a signal.
        """
        training = self._begin(objective, stream, teacher, process, stage, seed)
        if resume:
            resume.restore(training)
        started = time.monotonic() - training.seconds
        needs, scaler, optimizer = objective.loss.teacher_needs, training.scaler, training.optimizer
        steps, several = len(stream), ranks.world()
        listener(StageStarted(stage, steps=self.epochs * steps))
        while training.epoch < self.epochs and not self._stale(training.best):
            epoch_started = time.monotonic()
            training.model.train()
            for batch in islice(stream, (training.epoch + 1) * steps - training.step):
                answers = teacher.answer(batch, needs) if teacher and needs else None
                with process.autocast():
                    losses = training.model(batch, answers)
                total = losses["total"]
                if several > 1:  # gradients will be means over the processes
                    total = total * (batch.share * several)
                scaler.scale(total).backward()
                if self.clip:
                    scaler.unscale_(optimizer)
                    nn.utils.clip_grad_norm_(trainable(training.trained), self.clip)
                training.terms.add(losses, batch.weight, optimizer.param_groups[0]["lr"])
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad(set_to_none=True)
                training.trained.constrain()
                if training.averaged:
                    training.averaged.update_parameters(objective.student)
                if training.scheduler and self.interval == "step":
                    training.scheduler.step()
                training.step += 1
                listener(Progress(stage, training.step))
                if resume and resume.due(training.step):
                    resume.save(training.state_dict(time.monotonic() - started))
            student, means = training.student(), training.terms.means()
            measured = ranks.agree(validate(student))
            training.best.offer(student, measured)
            self._end_epoch(training, measured)
            training.epoch += 1
            training.terms.start(training.step)
            watched = [name for name in means if name.startswith(WATCHED)]
            trained = {name.removeprefix(WATCHED): means.pop(name) for name in watched}
            rate, seconds = optimizer.param_groups[0]["lr"], time.monotonic() - epoch_started
            listener(
                EpochEnded(
                    *(stage, training.epoch, self.epochs, means, measured, rate, seconds), trained
                )
            )
        objective.student.load_state_dict(training.best.weights or training.student().state_dict())
        ranks.follow(objective.student.buffers())  # each counted on its own share (BatchNorm)
        note = training.best.note(training.epoch)
        listener(StageEnded(stage, time.monotonic() - started, note=note))
        return objective.student.eval()

    def _begin(
        self,
        objective: Objective,
        stream: Stream,
        teacher: Answers | None,
        process: Process,
        stage: str,
        seed: int,
    ) -> Training:
        """Everything that a training changes, at its start."""
        process.seed(seed)  # dropout; the order of the data has its own
        process.place(objective.student)
        objective.loss.to(process.device)
        trained, model = process.spread(objective)
        optimizer, scheduler = self.optimizer_for(trained, len(stream))
        return Training(
            objective=objective,
            trained=trained,
            model=model,
            optimizer=optimizer,
            scheduler=scheduler,
            scaler=process.scaler(),
            averaged=self._averaged(objective.student),
            best=Best(self.monitor, self.keep),
            stream=stream.shared(ranks.rank(), ranks.world()),
            teacher=teacher,
            terms=Terms(stage),
            process=process,
        )

    def _stale(self, best: Best) -> bool:
        return self.patience is not None and best.age >= self.patience

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
        if self.monitor and self.monitor not in measured:
            known = ", ".join(measured)
            raise UserError(f"fit.monitor={self.monitor} is not measured; choose from {known}")

    def optimizer_for(
        self, objective: Objective, steps: int
    ) -> tuple[torch.optim.Optimizer, LRScheduler | None]:
        """The optimizer, and the scheduler told how many steps there will be."""
        optimizer = build(
            self.optimizer,
            list(trainable(objective)),
            roles=(torch.optim.Optimizer,),
            key=f"{self.key}.optimizer",
        )
        if self.scheduler is None:
            return optimizer, None
        total = self.epochs * (steps if self.interval == "step" else 1)
        offered = dict.fromkeys(("total_steps", "T_max", "total_iters"), total)
        key = f"{self.key}.scheduler"
        return optimizer, build(
            self.scheduler, optimizer, roles=(LRScheduler,), offered=offered, key=key
        )

    def _averaged(self, student: nn.Module) -> AveragedModel | None:
        if self.average is None:
            return None
        average = get_ema_multi_avg_fn(self.average)  # type: ignore[no-untyped-call]
        return AveragedModel(student, multi_avg_fn=average, use_buffers=True)

    def _end_epoch(self, training: Training, measured: Mapping[str, float]) -> None:
        scheduler = training.scheduler
        if scheduler is None or self.interval == "step":
            return
        if isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step(measured.get(training.best.monitor or "", math.inf))
        else:
            scheduler.step()
