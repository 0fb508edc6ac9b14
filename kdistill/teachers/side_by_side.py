"""Side by side: several networks of a teacher trained at once, and the time that takes."""

import pickle
import time
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from kdistill.config.build import build
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.events import Event, Listener, StageEnded
from kdistill.teachers.executors import Executor, in_executor
from kdistill.teachers.job import Job, made_of
from kdistill.teachers.network import NetworkTeacher
from kdistill.teachers.own_code import OwnCode
from kdistill.teachers.teacher import Context
from kdistill.teachers.workers import in_processes


def check_workers(workers: int, executor: Mapping[str, Any] | None) -> None:
    """ValueError for fewer than one worker, or more where an executor decides that."""
    if workers < 1:
        raise ValueError(f"workers must be >= 1, got {workers}")
    if workers > 1 and executor:
        raise ValueError(f"workers must be 1 where an executor decides that, got {workers}")


def prepare_all(
    teachers: Sequence[NetworkTeacher],
    context: Context,
    workers: int,
    executor: Mapping[str, Any] | None,
) -> None:
    """Load or train each; several at a time where asked for, and then what the cache lacks.

    Also a single one: its threads are those of a worker.
    """
    missing: list[NetworkTeacher] = []
    if workers > 1 or executor:
        data, precision = context.dataset.fingerprint, context.process.precision
        missing = [
            teacher
            for teacher in teachers
            if not teacher.trainings(data, precision, context.cache)[0].reused
        ]
    if missing:
        train_side_by_side(missing, context, workers, executor)
    for teacher in teachers:  # the end of what was just trained is told already
        teacher.prepare(context.warnings_only() if teacher in missing else context)


def train_side_by_side(
    teachers: Sequence[NetworkTeacher],
    context: Context,
    workers: int,
    executor: Mapping[str, Any] | None,
) -> None:
    """Train `teachers` and store them in the cache, from where `prepare` loads them.

    `workers` at a time in processes of this machine, each with its share of the threads; or where
    the config `executor` says, each with all threads it is given there. UserError without a cache.
    """
    if context.cache is None:
        raise UserError("teacher.workers, teacher.executor: without a cache nothing comes back")
    tell, cache = WallClock(context.listener), context.cache.absolute()
    if executor:
        made = build(executor, roles=(Executor,), key="teacher.executor")
        in_executor(jobs(teachers, context, context.process, cache), made, tell)
    else:
        shared = sharing(context.process, workers)
        in_processes(jobs(teachers, context, shared, cache), workers, tell)


def sharing(process: Process, workers: int) -> Process:
    """`process` with its part of the threads, at least one."""
    part = copy(process)
    part.threads = max(torch.get_num_threads() // workers, 1)
    return part


def jobs(
    teachers: Sequence[NetworkTeacher], context: Context, process: Process, cache: Path
) -> list[Job]:
    """The training of each of `teachers`; UserError for data that cannot be sent."""
    try:
        data = pickle.dumps(context.dataset)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UserError(
            f"dataset: it cannot be sent to another process ({error}); use teacher.workers=1"
        ) from error
    code = OwnCode.here()
    points = [context.resume_point(teacher.stage) for teacher in teachers]
    return [
        Job(
            teacher,
            data,
            process,
            context.task,
            cache,
            point.path.absolute() if point else None,
            point.every if point else 0.0,
            code,
            made_of(teacher),
        )
        for teacher, point in zip(teachers, points, strict=True)
    ]


class WallClock:
    """A listener before `listener`: the seconds of trainings that overlap become those between one
    end and the next, so that they add up to the time that has passed."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.last = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Pass `event` on; the note of an end says how long the training itself took."""
        if isinstance(event, StageEnded) and not event.reused:
            now = time.monotonic()
            own = f"{event.seconds:.1f} s beside others"
            note = f"{event.note}; {own}" if event.note else own
            event = replace(event, seconds=now - self.last, note=note)
            self.last = now
        self.listener(event)
