"""Job: the training of one network, as it is sent to another process or another machine."""

import pickle
import threading
import traceback
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass
from pathlib import Path

from kdistill.artifacts.environment import versions
from kdistill.artifacts.files import fingerprint
from kdistill.data.batch import Dataset
from kdistill.engine.process import Process
from kdistill.engine.resume import ResumePoint
from kdistill.engine.stop import listening
from kdistill.errors import UserError
from kdistill.events import Event, Listener, Progress, Warned
from kdistill.tasks.task import Task
from kdistill.teachers.network import NetworkTeacher
from kdistill.teachers.own_code import OwnCode
from kdistill.teachers.teacher import Context

_ALONE = threading.Lock()  # a process has one state of the random numbers, and one of the threads


@dataclass(frozen=True)
class Job:
    """Configs, the data, and where the weights and the resume point go (absolute paths)."""

    teacher: NetworkTeacher  # not prepared yet, so its configs and its name alone
    data: bytes  # the pickled Dataset: by value, because shared memory is often small
    process: Process
    task: Task
    cache: Path
    point: Path | None
    save_every: float  # s
    code: OwnCode
    made_of: str

    def context(self, listener: Listener) -> Context:
        """The run as the process that does the job sees it."""
        self.code.load()
        dataset: Dataset = pickle.loads(self.data)  # as the job itself came: no file of a stranger
        process = copy(self.process).start()

        def resume_point(stage: str) -> ResumePoint | None:
            complain = lambda text: listener(Warned(text))  # noqa: E731
            return ResumePoint(self.point, self.save_every, complain) if self.point else None

        return Context(dataset, process, self.task, self.cache, listener, resume_point)


@dataclass(frozen=True)
class Done:
    """How a job has ended, in plain values: not every exception can be sent."""

    events: tuple[Event, ...] = ()  # all but Progress, where they could not be told at once
    mistake: str = ""  # the message of a UserError
    step: int | None = None  # at which it was made, where that is known
    crash: str = ""  # a traceback

    def check(self) -> None:
        """Raise what the job raised: Mistake, or RuntimeError with the traceback as its text."""
        if self.mistake:
            raise Mistake(self.mistake, self.step)
        if self.crash:
            raise RuntimeError(f"in another process:\n{self.crash}")


class Mistake(UserError):
    """A UserError from another process."""

    def __init__(self, message: str, step: int | None) -> None:
        super().__init__(message)
        if step is not None:
            self.step = step  # as Diverged has it


def train_job(job: Job, listener: Listener | None = None) -> Done:
    """Train and store one network; several in threads of one process take turns.

    Without a `listener`, it is far from where it was made: the events come with the result, and
    code and versions must be the same.
    """
    events: list[Event] = []

    def keep(event: Event) -> None:
        if not isinstance(event, Progress):
            events.append(event)

    mistake, step, crash = "", None, ""
    try:
        with _ALONE, nullcontext() if listener else listening():
            context = job.context(listener or keep)
            if listener is None and job.made_of != made_of(job.teacher):
                raise UserError(
                    f"{job.teacher.stage}: where it is to be trained, your code or the versions of "
                    "kdistill or torch are not those of this process; make them the same"
                )
            job.teacher.prepare(context)
    except UserError as error:
        mistake, step = str(error), getattr(error, "step", None)
    except Exception:
        crash = traceback.format_exc()
    return Done(tuple(events), mistake, step, crash)


def made_of(teacher: NetworkTeacher) -> str:
    """The hash of torch's version and of the source that the weights will depend on, as here."""
    recipe = teacher.model, teacher.loss, teacher.fit, teacher.augmentation
    return fingerprint(versions(), teacher.code(*recipe))
