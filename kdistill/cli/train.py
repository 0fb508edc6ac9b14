"""`kdistill train`: compose a run from the configs and execute it."""

from omegaconf import DictConfig

from kdistill.cli._hydra import hydra_command, keep_words, output_folder
from kdistill.cli.report import show_sweep


@hydra_command("train", after_sweep=show_sweep)
def main(cfg: DictConfig) -> float:
    """Run the pipeline in the job's folder and print its report."""
    # torch and what needs it are imported here: every Tab press imports this file
    from kdistill import ranks
    from kdistill.cli._run import execute

    if ranks.talks():
        keep_words(cfg, output_folder())
    return execute(cfg, output_folder())
