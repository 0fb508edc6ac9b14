"""Executors: networks of a teacher trained wherever `submit(function, *args).result()` leads.

concurrent.futures, dask.distributed.Client and whoever follows them fit as they are; the classes
here lend that form to submitit's executors, which take a job's parameters in a call of their own,
and to the backends of joblib, which take all tasks at once. None of them imports a library: the
objects come from the config, where `_target_` names what the user must trust.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, Protocol

from joblib import Parallel, delayed, parallel_config

from kdistill.errors import UserError
from kdistill.events import Listener
from kdistill.teachers.job import Done, Job, train_job


class Executor(Protocol):
    """What trains networks elsewhere."""

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        """A future, whose `result()` waits for what `function` returns."""
        ...


class Submitit:
    """submitit's `executor`, and what its jobs ask for: {timeout_min: 60, cpus_per_task: 4}."""

    def __init__(self, executor: Any, parameters: Mapping[str, Any]) -> None:
        executor.update_parameters(**parameters)
        self._executor = executor

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        """submitit's own."""
        return self._executor.submit(function, *args)


class Joblib:
    """A `backend` of joblib, by name or as an object, which does `workers` tasks at a time (-1:
    as many as it can). It gets all tasks at once, so their events come when all are done."""

    def __init__(self, backend: Any, workers: int = -1) -> None:
        self.backend, self.workers = backend, workers
        self._tasks: list[Any] = []
        self._results: list[Any] = []

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        """Keep the task; asked for the first result, all are done."""
        self._tasks.append(delayed(function)(*args))
        place = len(self._tasks) - 1
        return SimpleNamespace(result=lambda: self._all()[place])

    def _all(self) -> list[Any]:
        if not self._results:
            with parallel_config(self.backend, n_jobs=self.workers):
                self._results = Parallel()(self._tasks)
        return self._results


def in_executor(jobs: Sequence[Job], executor: Any, tell: Listener) -> None:
    """Submit all `jobs`; their events are told when each is done, in the order of the jobs.

    The rest is cancelled when one fails. Raises UserError for a mistake, or for a job that the
    executor lost.
    """
    with executor if hasattr(executor, "__exit__") else nullcontext():
        futures = [executor.submit(train_job, job) for job in jobs]
        try:
            for job, future in zip(jobs, futures, strict=True):
                done = _result(job, future)
                for event in done.events:
                    tell(event)
                done.check()
        except BaseException:
            for future in futures:
                getattr(future, "cancel", bool)()  # joblib's have none
            raise


def _result(job: Job, future: Any) -> Done:
    """What came of a job. It never raises itself, so what does is the executor."""
    try:
        done: Done = future.result()
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(
            f"teacher.executor: {job.teacher.stage} did not come back ({said}); run it again when "
            "that is mended: what is done is kept"
        ) from error
    return done
