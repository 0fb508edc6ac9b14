"""`kdistill resume RUN`: go on with an interrupted run, exactly where it was."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kdistill.cli._arguments import Parser
from kdistill.cli._log import RunLog
from kdistill.errors import UserError


def main(argv: list[str]) -> int:
    """Go on with the run; one that is finished only shows its report."""
    parser = Parser("resume")
    parser.add_argument("run", type=Path, help="folder of a run: runs/NAME/TIME")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="device.KEY=VALUE",
        help="carry it out otherwise, e.g. device.processes=1; equal then but for rounding; and "
        "teacher.weights=PATH repeats from where the run reads weights outside of its folder",
    )
    parser.add_argument("--no-report", action="store_true", help="do not print it at the end")
    args = parser.parse_args(argv)

    from kdistill.artifacts.configs import read_config, resume_command, weights_outside
    from kdistill.artifacts.run_folder import RunFolder
    from kdistill.cli._run import execute
    from kdistill.config.check import check_kept

    folder = RunFolder(args.run)
    folder.refuse_links()
    if not folder.config.is_file():
        raise UserError(f"{args.run}: no run to go on with; it holds no {folder.config.name}")
    config = read_config(folder.config)
    check_kept(config, folder.config)
    outside = weights_outside(config, args.run)
    if not (folder.result.is_file() or {*outside} <= {*args.overrides}):
        raise UserError(
            f"{args.run}: its config reads weights outside of the run folder, which only you may "
            f"name; if you know them: {resume_command(config, args.run)}"
        )
    config = overridden(config, [word for word in args.overrides if word not in outside])
    with logged_to(folder.log):
        execute(config, args.run, report=not args.no_report)
    return 0


@contextmanager
def logged_to(file: Path) -> Iterator[None]:
    """Go on with the log that Hydra began."""
    log, handler = logging.getLogger("kdistill"), RunLog(file, delay=True)
    handler.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()


def overridden(config: dict[str, Any], words: list[str]) -> dict[str, Any]:
    """`config` with device.KEY=VALUE words; UserError for others: they would make another run."""
    from kdistill.artifacts.text import parse_yaml

    device = dict(config["device"])
    for word in words:
        key, given, value = word.removeprefix("device.").partition("=")
        if not word.startswith("device.") or not given:
            raise UserError(f"{word}: a resumed run takes device.KEY=VALUE alone")
        try:
            device[key] = parse_yaml(value)
        except ValueError as error:
            raise UserError(f"{word}: {error}") from None
    return {**config, "device": device}
