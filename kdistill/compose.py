"""From a composed config to the parts of a run: every object is built here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdistill.artifacts.result import Result
from kdistill.artifacts.run_folder import RunFolder
from kdistill.config.build import build, to_plain
from kdistill.config.check import check
from kdistill.errors import UserError
from kdistill.events import Listener
from kdistill.losses.loss import Loss
from kdistill.paths import cache_folder
from kdistill.pipeline import Parts, run
from kdistill.teachers.teacher import Teacher


def run_config(config: Any, folder: Path, listener: Listener) -> Result:
    """Execute a composed config (configs/train.yaml) in `folder`."""
    return run(compose(config), RunFolder(folder), listener)


def compose(config: Any) -> Parts:
    """Check every signature and value, then take the device and load the data.

    UserError for what does not fit, before any data or weights are touched.
    """
    plain: dict[str, Any] = to_plain(config)
    check(plain)
    source, transfer = (
        build(plain["dataset"], key="dataset"),
        build(plain["transfer"], key="transfer"),
    )
    teacher, loss = make_teacher(plain), make_loss(plain["loss"])
    fit, measure = build(plain["fit"], key="fit"), build(plain["measure"], key="measure")
    process = build(plain["device"], key="device").start()
    return Parts(
        dataset=source.load(),
        transfer=transfer,
        teacher=teacher,
        student=plain["student"],
        loss=loss,
        fit=fit,
        measure=measure,
        process=process,
        name=plain["name"],
        seed=plain["seed"],
        baseline=plain["baseline"],
        cache=cache_folder() if plain["cache"] else None,
        config=plain,
    )


def make_teacher(plain: Mapping[str, Any]) -> Teacher | None:
    """The teacher of a config, or None for teacher=none."""
    teacher: Teacher | None = build(plain["teacher"], key="teacher") if plain["teacher"] else None
    return teacher


def make_loss(config: Mapping[str, Any]) -> Loss:
    """The loss of a config; UserError when it is not one."""
    loss = build(config, key="loss")
    if not isinstance(loss, Loss):
        raise UserError(
            f"loss: {config['_target_']} is not a kdistill.losses.loss.Loss; derive from it"
        )
    return loss
