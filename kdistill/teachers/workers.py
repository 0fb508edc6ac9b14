"""Workers: processes of this machine that train networks of a teacher side by side.

Jobs, events and results travel through a pipe to each; weights and resume points lie where a
training without workers puts them.
"""

import os
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from kdistill.engine.process import MOST_PROCESSES
from kdistill.engine.stop import listening, requested
from kdistill.errors import Stopped, UserError
from kdistill.events import Event, Listener, Progress
from kdistill.teachers.job import Done, Job, train_job

PAUSE = 0.1  # s between two Progress events of a worker: the pipe must not slow the training


def in_processes(jobs: Sequence[Job], workers: int, tell: Listener) -> None:
    """Do `jobs`, `workers` (>= 1) of them at a time, telling their events.

    Ends all of them, with resume points, when one fails, and when a signal ends this process.
    Raises UserError for a mistake or a worker that died.
    """
    waiting = deque(jobs)
    count = min(workers, len(jobs), MOST_PROCESSES * (os.cpu_count() or 1))
    crew: dict[Any, Worker] = {worker.pipe: worker for worker in (Worker() for _ in range(count))}
    try:
        for worker in crew.values():
            worker.give(waiting.popleft())
        for worker, said in _heard(crew):
            if said is None:
                worker.refuse_death()
            elif isinstance(said, Done):
                said.check()
                worker.give(waiting.popleft() if waiting else None)
            else:
                tell(said)
    except BaseException:
        _stop(crew, tell)
        raise


class Worker:
    """A process of this machine, the pipe to it, and the job it is at."""

    def __init__(self) -> None:
        spawn = get_context("spawn")  # torch does not survive a fork
        self.pipe, theirs = spawn.Pipe()
        self.process = spawn.Process(target=work, args=(theirs,))
        with _out_of_reach():
            self.process.start()
        theirs.close()  # so that its end is noticed
        self.job: Job | None = None

    def give(self, job: Job | None) -> None:
        """Send it a job, or None to let it go home."""
        self.job = job
        with suppress(OSError):  # it has died, which the next look at the pipe tells
            self.pipe.send(job)

    def refuse_death(self) -> None:
        """UserError when it ended at a job."""
        if self.job:
            self.process.join()
            raise UserError(
                f"{self.job.teacher.stage}: its process ended early (exit code "
                f"{self.process.exitcode}; -9 often means that memory ran out); lower "
                "teacher.workers or mend that, and run it again: what is done is kept"
            )


def _heard(crew: dict[Any, Worker]) -> Iterator[tuple[Worker, Event | Done | None]]:
    """What the workers say, as it comes; None, for the last time, of each that has ended."""
    while crew:
        for pipe in wait(list(crew)):
            try:
                said = crew[pipe].pipe.recv()
            except (EOFError, OSError):
                yield crew.pop(pipe), None
            else:
                yield crew[pipe], said


def _stop(crew: dict[Any, Worker], tell: Listener) -> None:
    """Let the workers leave resume points, and keep what they still tell; a second signal kills."""
    for worker in crew.values():
        worker.process.terminate()
    left = list(crew.values())
    try:
        for worker, said in _heard(crew):
            if isinstance(said, Done):
                worker.give(None)
            elif said is not None:
                tell(said)
    except BaseException:
        for worker in left:
            worker.process.kill()
        raise
    finally:
        for worker in left:
            worker.process.join()


@contextmanager
def _out_of_reach() -> Iterator[None]:
    """A process started inside never gets the Ctrl-C of a terminal: its parent passes it on."""
    mask = getattr(signal, "pthread_sigmask", None)  # not on Windows
    before = mask(signal.SIG_BLOCK, {signal.SIGINT}) if mask else set()
    try:
        yield
    finally:
        if mask:
            mask(signal.SIG_SETMASK, before)


def work(pipe: Connection) -> None:
    """What a worker does: the jobs that come, until None or the end of its parent."""
    try:
        with listening(), pipe:  # closed at once: nobody waits for what torch does at its exit
            _hear_once()
            for job in iter(pipe.recv, None):
                pipe.send(train_job(job, Through(pipe)))
    except (EOFError, OSError, Stopped):
        pass  # the parent is gone, or has asked for this


def _hear_once() -> None:
    """A signal to the whole group comes twice, once from the parent; twice would mean: at once."""
    hear = signal.getsignal(signal.SIGTERM)
    assert callable(hear)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *heard: None if requested() else hear(*heard))


class Through:
    """A listener that sends events to the parent, and stops the training when that is gone."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.moved = 0.0  # when the last Progress was sent

    def __call__(self, event: Event) -> None:
        """Send `event`; most of the Progress is left out."""
        if isinstance(event, Progress):
            if time.monotonic() - self.moved < PAUSE:
                return
            self.moved = time.monotonic()
        try:
            self.pipe.send(event)
        except OSError:
            if not requested():
                signal.raise_signal(signal.SIGTERM)
