"""`kdistill check`: compose a run, test every part of it and print its plan; run nothing."""

from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from kdistill.cli._hydra import hydra_command

if TYPE_CHECKING:
    from rich.table import Table

    from kdistill.data.batch import Dataset
    from kdistill.plan import Plan

# a check leaves nothing behind: no run folder, no log
NO_FOLDER = (
    "hydra.run.dir=.",
    "hydra.sweep.subdir=.",
    "hydra.job_logging.root.handlers=[]",
    "hydra.help.app_name=kdistill check",
)


def main(argv: list[str]) -> int:
    """Print what `kdistill train` with the same words would do."""
    with TemporaryDirectory() as folder:  # where Hydra notes what a sweep was
        command = hydra_command("train", *NO_FOLDER, f"hydra.sweep.dir='{folder}'")
        known: dict[str, Dataset] = {}
        return command(lambda cfg: show(cfg, known))(argv)


def show(cfg: DictConfig, known: "dict[str, Dataset]") -> None:
    """Print the plan of a run, or of the first job of a sweep; the other jobs are only checked.

    known: the data that jobs before have loaded.
    """
    # torch and what needs it are imported here: every Tab press imports this file
    from kdistill.cli._screen import screen
    from kdistill.plan import checked, plan

    job = HydraConfig.get().job
    if OmegaConf.is_missing(job, "num"):
        screen().print(drawn(plan(cfg, known)))
    elif job.num == 0:
        screen().print(drawn(plan(cfg, known)))
        print("The first job of a sweep. The others are checked as well; they fit unless told:")
    else:
        checked(cfg, known)


def drawn(plan: "Plan") -> "Table":
    """One row a stage with what it does, keeps and takes; the data and the sums around them."""
    from rich.table import Table

    from kdistill.report.numbers import file_size
    from kdistill.report.plain import plain

    data = plan.dataset
    table = Table(
        "stage", "what", "keeps", "takes", title=plain(plan.name, "table.title"), show_footer=True
    )
    size = f"{data.train} training inputs, {file_size(data.bytes)}"
    table.add_row("data", plain(f"{data.name} ({data.source}), {size}"), "", "")
    for step in plan.steps:
        takes = plain("reused", "green") if step.reused else plain(duration(step.seconds))
        keeps = file_size(step.bytes) if step.bytes else ""
        table.add_row(plain(step.stage), plain(step.what), keeps, takes)
    memory = f"loss {plan.loss}, on {plan.device}, {file_size(plan.memory_bytes)} of memory"
    kept = file_size(sum(step.bytes for step in plan.steps))
    footers = (plain("in all"), plain(memory), plain(kept), plain(duration(plan.seconds)))
    for column, footer in zip(table.columns, footers, strict=True):
        column.footer = footer
    return table


def duration(seconds: float | None) -> str:
    """About how long: '40 s', '12 min', '3.5 h'; '?' where nobody knows."""
    if seconds is None:
        return "?"
    if seconds < 100:
        return f"~ {seconds:.0f} s"
    return f"~ {seconds / 60:.0f} min" if seconds < 6000 else f"~ {seconds / 3600:.1f} h"
