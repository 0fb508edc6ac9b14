"""From a composed config to the parts of a run: every object is built here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdistill import ranks
from kdistill.artifacts.result import Result
from kdistill.artifacts.run_folder import RunFolder
from kdistill.checks import check_process, check_processes, check_teacher
from kdistill.config.build import build, to_plain
from kdistill.config.check import check
from kdistill.data.batch import Dataset
from kdistill.data.plan import DataSource
from kdistill.data.transfer import Transfer
from kdistill.engine.fit import Fit
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.events import Listener
from kdistill.losses.loss import Loss
from kdistill.parts import Parts
from kdistill.paths import cache_folder
from kdistill.pipeline import run
from kdistill.report.write import write_report
from kdistill.students.repair import KINDS
from kdistill.tasks.task import Task
from kdistill.teachers.teacher import Teacher


def run_config(config: Any, folder: Path, listener: Listener) -> Result:
    """Execute a composed config (configs/train.yaml) in `folder`, or what is left of its run.

    A finished run is not repeated. Occupied when the folder holds a run of another config.
    """
    plain, kept = to_plain(config), RunFolder(folder)
    if kept.holds(plain) and kept.result.is_file():
        if kept.work.is_dir() and ranks.first():  # it was ended before its report was written
            with kept.locked():
                write_report(kept)
                kept.end()
        return Result.read(kept.result)
    return run(compose(plain), kept, listener)


@dataclass(frozen=True)
class Recipe:
    """A config as objects that have read nothing yet; see Parts for what they are."""

    source: DataSource
    transfer: Transfer
    teacher: Teacher | None
    student: Mapping[str, Any]
    loss: Loss
    fit: Fit
    task: Task
    process: Process
    cache: Path | None
    save_every: float
    repair: str | None
    config: Mapping[str, Any]


def recipe(config: Any) -> Recipe:
    """Check every signature and value and take the device; UserError for what does not fit."""
    plain: dict[str, Any] = to_plain(config)
    check(plain)

    def made(group: str, *roles: Any) -> Any:
        return build(plain[group], roles=roles, key=group)

    loss = made("loss", Loss)
    teacher = made("teacher", Teacher) if plain["teacher"] else None
    check_teacher(loss, teacher)
    if plain["seed"] < 0:
        raise UserError(f"seed must be >= 0, got {plain['seed']}")
    save_every = plain.get("save_every", 60.0)
    if not save_every > 0:
        raise UserError(f"save_every must be > 0, got {save_every}")
    repair = plain.get("repair")
    if repair not in (None, *KINDS):
        raise UserError(f"repair must be null, {' or '.join(KINDS)}, got {repair}")
    fit, process = made("fit", Fit), made("device", Process)
    check_process(loss, fit, process)
    check_processes(teacher, process)
    return Recipe(
        source=made("dataset", DataSource),
        transfer=made("transfer", Transfer),
        teacher=teacher,
        student=plain["student"],
        loss=loss,
        fit=fit,
        task=made("task", Task),
        process=process.start(),
        cache=cache_folder() if plain["cache"] else None,
        save_every=float(save_every),
        repair=repair,
        config=plain,
    )


def compose(config: Any) -> Parts:
    """The parts of the run, with the data loaded; UserError before that for what does not fit."""
    made = recipe(config)
    return assembled(made, made.source.load())


def assembled(made: Recipe, dataset: Dataset) -> Parts:
    """The parts of the run with those data."""
    return Parts(
        dataset=dataset,
        transfer=made.transfer,
        teacher=made.teacher,
        student=made.student,
        loss=made.loss,
        fit=made.fit,
        task=made.task,
        process=made.process,
        name=made.config["name"],
        seed=made.config["seed"],
        baseline=made.config["baseline"],
        cache=made.cache,
        save_every=made.save_every,
        repair=made.repair,
        config=made.config,
    )
