"""`kdistill report DIR`: print what a run or a sweep has shown, and write its reports again."""

from pathlib import Path

from kdistill.cli._arguments import Parser


def main(argv: list[str]) -> int:
    """Rebuild the reports from what the run folders hold."""
    parser = Parser("report")
    parser.add_argument("folder", type=Path, help="of a run (runs/NAME/TIME) or of a sweep's runs")
    folder = parser.parse_args(argv).folder

    from kdistill.report.sweep.jobs import holds_run, holds_runs

    if holds_runs(folder) and not holds_run(folder):
        show_sweep(folder)
    else:
        show_run(folder)
    return 0


def show_run(folder: Path) -> None:
    """Write and print the report of the run in `folder`; UserError when it is not finished."""
    from kdistill.artifacts.result import Result
    from kdistill.artifacts.run_folder import RunFolder
    from kdistill.cli._screen import screen
    from kdistill.report.terminal import terminal
    from kdistill.report.write import write_report

    kept = RunFolder(folder).finished()
    result = Result.read(kept.result)
    write_report(kept)
    screen().print(terminal(result, kept), crop=False)


def show_sweep(folder: Path) -> None:
    """Write and print the summary of the runs in `folder`; UserError when it holds none."""
    from kdistill.cli._screen import screen
    from kdistill.report.sweep.terminal import sweep_terminal
    from kdistill.report.sweep.write import PAGE, write_sweep

    screen().print(sweep_terminal(write_sweep(folder), folder / PAGE), crop=False)
