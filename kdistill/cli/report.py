"""`kdistill report RUN`: print what a run proved and write its report.md and report.html again."""

from pathlib import Path

from kdistill.cli._arguments import Parser


def main(argv: list[str]) -> int:
    """Rebuild the reports from what the run folder holds."""
    parser = Parser("report")
    parser.add_argument("run", type=Path, help="folder of a finished run: runs/NAME/TIME")
    args = parser.parse_args(argv)

    from rich.console import Console

    from kdistill.artifacts.result import Result
    from kdistill.artifacts.run_folder import RunFolder
    from kdistill.report.terminal import terminal
    from kdistill.report.write import write_report

    folder = RunFolder(args.run).finished()
    result = Result.read(folder.result)
    write_report(folder)
    Console().print(terminal(result, folder), crop=False)
    return 0
