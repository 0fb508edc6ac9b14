"""`kdistill check`: compose a run, test every part of it and print its plan; run nothing."""

from typing import TYPE_CHECKING

from omegaconf import DictConfig

from kdistill.cli._hydra import hydra_command

if TYPE_CHECKING:
    from rich.table import Table

    from kdistill.plan import Plan

# a check leaves nothing behind: no run folder, no log
NO_FOLDER = (
    "hydra.run.dir=.",
    "hydra.sweep.dir=.",
    "hydra.sweep.subdir=.",
    "hydra.output_subdir=null",
    "hydra.job_logging.root.handlers=[]",
    "hydra.help.app_name=kdistill check",
)


@hydra_command("train", *NO_FOLDER)
def main(cfg: DictConfig) -> None:
    """Print what `kdistill train` with the same words would do."""
    # torch and what needs it are imported here: every Tab press imports this file
    from rich.console import Console

    from kdistill.plan import plan

    found, console = plan(cfg), Console()
    console.print(drawn(found))
    for warning in found.warnings:
        console.print(f"WARNING: {warning}", style="bold yellow", markup=False, highlight=False)


def drawn(plan: "Plan") -> "Table":
    """One row a stage, and below it the data, the sizes and the time they take together."""
    from rich.table import Table
    from rich.text import Text

    from kdistill.cli.cache import readable

    table = Table("stage", "what", "time", show_footer=True)
    for stage in plan.stages:
        took = Text("reused", "green") if stage.reused else Text(duration(stage.seconds))
        table.add_row(Text(stage.name), Text(stage.what), took)
    sizes = f"{readable(plan.disk)} on disk, {readable(plan.memory)} in memory"
    table.columns[0].footer = "in all"
    table.columns[1].footer = Text(f"{plan.data}; {sizes}")
    known = [stage.seconds for stage in plan.stages if not stage.reused]
    table.columns[2].footer = duration(None if None in known else sum(s or 0 for s in known))
    return table


def duration(seconds: float | None) -> str:
    """About how long: '40 s', '12 min', '3.5 h'; '?' where nobody knows."""
    if seconds is None:
        return "?"
    if seconds < 100:
        return f"~ {seconds:.0f} s"
    return f"~ {seconds / 60:.0f} min" if seconds < 6000 else f"~ {seconds / 3600:.1f} h"
