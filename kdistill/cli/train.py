"""`kdistill train`: compose a run from the configs and execute it."""

from omegaconf import DictConfig

from kdistill.cli._hydra import hydra_command, output_folder


@hydra_command("train")
def main(cfg: DictConfig) -> float:
    """Run the pipeline in the job's folder and print its report."""
    # torch and what needs it are imported here: every Tab press imports this file
    from kdistill.cli._run import execute

    return execute(cfg, output_folder())
