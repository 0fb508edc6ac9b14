"""`kdistill train`: compose a run from the configs and execute it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig

from kdistill.cli._hydra import hydra_command, output_folder
from kdistill.events import Event, Progress, StageStarted


@hydra_command("train")
def main(cfg: DictConfig) -> None:
    """Run the pipeline in the job's folder and print its report."""
    # torch and what needs it are imported here: every Tab press imports this file
    from rich.console import Console

    from kdistill.artifacts.run_folder import RunFolder
    from kdistill.cli.progress import shown
    from kdistill.compose import run_config
    from kdistill.report.terminal import terminal

    folder, console, where = output_folder(), Console(), Whereabouts()

    def listen(event: Event) -> None:
        where(event)
        show(event)

    with failing_into(folder, where), shown(console) as show:
        result = run_config(cfg, folder, listen)
    console.print(terminal(result, RunFolder(folder)), crop=False)


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
def failing_into(folder: Path, where: Whereabouts) -> Iterator[None]:
    """Leave failed.json {message, stage, step} in `folder` when the run inside fails."""
    from kdistill.artifacts.files import write_json
    from kdistill.artifacts.run_folder import RunFolder

    try:
        yield
    except BaseException as error:
        message = f"{type(error).__name__}: {error}".removeprefix("UserError: ").rstrip(": ")
        step = getattr(error, "step", where.step)  # Diverged knows better
        failure = {"message": message, "stage": where.stage, "step": step}
        write_json(RunFolder(folder).failed, failure)
        raise
