"""Executes a run for `train` and `resume`: shows it, and leaves failed.json where it fails."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import current_process
from pathlib import Path
from typing import Any

from kdistill import ranks
from kdistill.artifacts.configs import read_config, resume_command
from kdistill.artifacts.files import write_json
from kdistill.artifacts.run_folder import RunFolder
from kdistill.cli._screen import screen
from kdistill.cli.progress import shown
from kdistill.engine.stop import listening, requested
from kdistill.errors import Occupied, ProcessesFailed, Stopped, UserError
from kdistill.events import Event, Progress, StageStarted
from kdistill.launch import run_in_processes
from kdistill.printable import printable
from kdistill.report.terminal import terminal


def execute(config: Any, folder: Path, report: bool = True) -> float:
    """Run `config` in `folder` and print its `report`; the student's main validation figure.

    That figure is what a sweeper looks at; without validation data it is the test's.
    """
    alone = current_process().name == "MainProcess"  # not a job that joblib runs beside others
    console, where = screen(quiet=not (ranks.talks() and alone)), Whereabouts()

    def listen(event: Event) -> None:
        where(event)
        show(event)

    with listening(), failing_into(folder, where, report), shown(console) as show:
        result = run_in_processes(config, folder, listen)
    if report:
        console.print(terminal(result, RunFolder(folder)), crop=False)
    if not alone:
        print(f"done: {printable(folder.name)}", flush=True)
    student = result.models["student"]
    assert student is not None  # every run has one
    return {**student.measures, **student.validation}[result.main].value


class Whereabouts:
    """A listener that knows the stage and the step a run has come to."""

    def __init__(self) -> None:
        self.stage: str | None = None
        self.step = 0

    def __call__(self, event: Event) -> None:
        """Take note of `event`."""
        if isinstance(event, StageStarted):
            self.stage, self.step = event.stage, 0
        elif isinstance(event, Progress):
            self.step = event.steps


@contextmanager
def failing_into(folder: Path, where: Whereabouts, hint: bool = True) -> Iterator[None]:
    """Leave failed.json {message, stage, step} in `folder` when the run inside fails.

    A run that was stopped has not failed: it says how to go on.
    """
    try:
        yield
    except (Occupied, ProcessesFailed):  # the folder is another's; one of several has told
        raise
    except Stopped as stopped:
        if hint and ranks.talks() and RunFolder(folder).config.is_file():
            stage = f" in {where.stage}" if where.stage else ""
            command = resume_command(read_config(RunFolder(folder).config), folder)
            print(printable(f"kdistill: {stopped}{stage}; go on with: {command}"), file=sys.stderr)
        raise
    except Exception as error:
        if requested():  # what follows when another process of the run has stopped first
            raise Stopped(requested()) from error
        message = f"{type(error).__name__}: {error}".removeprefix("UserError: ").rstrip(": ")
        step = getattr(error, "step", where.step)  # Diverged knows better
        begun = where.stage is not None or not RunFolder(folder).config.is_file()
        if ranks.talks() and folder.is_dir() and begun:
            failure = {"message": message, "stage": where.stage, "step": step}
            with suppress(UserError):  # a full disk, perhaps: what failed first is told
                write_json(RunFolder(folder).failed, failure)
        raise
